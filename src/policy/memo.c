/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the policy remembered: what is asked of a flow again and again between hosts of the same roles.
 *
 * An answer depends on the roles of both ends, on whether the site names them and tells them for two machines, on what became of the
 * flow, on the content, and on the ports; of a port only on which ranges of rows hold it, so that all ports between two ends of ranges are
 * one.  Three direct-mapped caches: a question that falls on the place of another takes it, and who aims at that makes himself dear, not wrong.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "private.h"

#define N_JUDGED_BITS 10
#define N_EXPECTED_BITS 9
#define N_VOTED_BITS 9
#define N_PORTS (UINT16_MAX + 1)

/* In words as they are compared: bytes that were put together would have to be waited for. */
struct question {
    uint64_t    groups; /* the client's in the upper half */
    uint64_t    rest;   /* from the highest bits on: flags, transport (0: this place is empty), classes of the client's and the server's port */
    const void *app;
};

struct judged {
    struct question      question;
    struct policy_answer answer;
};

struct expected {
    struct question    question;
    const char *const *names;
};

struct voted {
    struct question question;
    int             vote;
};

struct policy_memo {
    const struct policy *policy;
    struct judged        judged[1 << N_JUDGED_BITS];
    struct expected      expected[1 << N_EXPECTED_BITS];
    struct voted         voted[1 << N_VOTED_BITS];
    uint16_t             classes[2][N_PORTS]; /* TCP, UDP */
};

enum {
    ASKED_CLIENT_NAMED = 1 << 0,
    ASKED_SERVER_NAMED = 1 << 1,
    ASKED_DISTINCT = 1 << 2,
    ASKED_IGNORED = 1 << 3,
    ASKED_TO_ITSELF = 1 << 4,
    ASKED_SAME_PORT = 1 << 5,
    ASKED_DIRECTION = 1 << 6,
    ASKED_CLIENT_SENT = 1 << 7,
    ASKED_SERVER_SENT = 1 << 8,
    ASKED_GROUP = 1 << 9,
    ASKED_ANSWERS_GROUP = 1 << 10,
    ASKED_MEDIA = 1 << 11,
    ASKED_NEGOTIATED = 1 << 12,
    ASKED_ONE_ASKS = 1 << 13,
};

/* --- classes of ports ------------------------------------------------------------------------------------ */

static void number_ports(const struct policy *p, uint8_t transport, uint16_t ret[static N_PORTS])
{
    ret[POLICY_FIRST_FREE_PORT] = 1; /* 1: a class begins here */
    for (size_t r = 0; r < p->matrix->n_rows; r++) {
        for (size_t i = 0; i < p->rows[r].n_ports; i++) {
            const struct port_range *range = &p->rows[r].ports[i];

            if (range->transport != transport)
                continue;
            ret[range->low] = 1;
            if (range->high < UINT16_MAX)
                ret[range->high + 1] = 1;
        }
    }
    uint16_t nth = 0;
    for (size_t port = 0; port < N_PORTS; port++)
        ret[port] = nth = (uint16_t)(nth + ret[port]); /* port 0 needs no beginning: at most 65,536 classes */
}

int policy_memo_new(const struct policy *p, struct policy_memo **ret, struct err *reterr)
{
    struct policy_memo *m = calloc(1, sizeof(*m));

    if (m == NULL)
        return err_set(reterr, -ENOMEM, "no memory for answers of the policy");
    m->policy = p;
    number_ports(p, IPPROTO_TCP, m->classes[0]);
    number_ports(p, IPPROTO_UDP, m->classes[1]);
    *ret = m;
    return 0;
}

void policy_memo_free(struct policy_memo *m)
{
    free(m);
}

/* --- questions --------------------------------------------------------------------------------------------- */

static uint32_t group_of(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->hosts[host].group : 0;
}

static inline struct question ask_about(const struct policy_memo *m, const struct policy_ends *e, const struct tuple *t, uint16_t flags, const void *app)
{
    const uint16_t *classes = m->classes[t->transport == IPPROTO_UDP];

    return (struct question){
        .groups = (uint64_t)group_of(m->policy, e->client) << 32 | group_of(m->policy, e->server),
        .rest = (uint64_t)flags << 48 | (uint64_t)t->transport << 32 | (uint32_t)classes[t->client_port] << 16 | classes[t->server_port],
        .app = app,
    };
}

static inline bool is_same(const struct question *a, const struct question *b)
{
    return a->groups == b->groups && a->rest == b->rest && a->app == b->app;
}

static inline uint16_t flags_of(const struct policy_ends *e, const struct policy_query *q)
{
    return (uint16_t)((e->client != POLICY_NONE ? ASKED_CLIENT_NAMED : 0) | (e->server != POLICY_NONE ? ASKED_SERVER_NAMED : 0) |
                      (e->distinct ? ASKED_DISTINCT : 0) | (e->ignored ? ASKED_IGNORED : 0) |
                      (addr_compare(&q->tuple.client, &q->tuple.server) == 0 ? ASKED_TO_ITSELF : 0) |
                      (q->tuple.client_port == q->tuple.server_port ? ASKED_SAME_PORT : 0) | (q->direction_known ? ASKED_DIRECTION : 0) |
                      (q->sent[0] ? ASKED_CLIENT_SENT : 0) | (q->sent[1] ? ASKED_SERVER_SENT : 0) | (q->group ? ASKED_GROUP : 0) |
                      (q->answers_group ? ASKED_ANSWERS_GROUP : 0) | (q->media ? ASKED_MEDIA : 0) | (q->negotiated ? ASKED_NEGOTIATED : 0) | (q->one_asks ? ASKED_ONE_ASKS : 0));
}

static inline size_t place_of(const struct question *q, unsigned bits)
{
    uint64_t h = q->groups * UINT64_C(0x9e3779b97f4a7c15) ^ q->rest * UINT64_C(0xc2b2ae3d27d4eb4f) ^ (uintptr_t)q->app * UINT64_C(0x165667b19e3779f9);

    return (size_t)((h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* --- answers ------------------------------------------------------------------------------------------------- */

/* Not a part of what asks for it, which seldom does. */
static __attribute__((noinline)) void judge(const struct policy *p, const struct policy_ends *ends, const struct policy_query *asked, const struct app *app,
                                            struct policy_answer *ret)
{
    struct policy_query q = *asked;
    struct policy_ends  e = *ends;

    q.app = *app;
    policy_judge_at(p, ends, &q, &ret->judgement);
    if (ret->judgement.reversed) {
        q = query_turned(&q);
        policy_ends_swap(&e);
    }
    uint32_t row = ret->judgement.row;

    ret->one_way = (row != POLICY_NONE && p->rows[row].row->media) || policy_is_media(p, app) || policy_one_way_at(p, &e, &q.tuple);
}

void policy_recall(struct policy_memo *m, const struct policy_ends *ends, const struct policy_query *q, const struct app *app,
                   struct policy_answer *ret)
{
    struct question question = ask_about(m, ends, &q->tuple, flags_of(ends, q), app);
    struct judged  *at = &m->judged[place_of(&question, N_JUDGED_BITS)];

    if (!is_same(&at->question, &question)) {
        judge(m->policy, ends, q, app, &at->answer);
        at->question = question;
    }
    *ret = at->answer;
    /* Of other hosts with the same roles. */
    ret->judgement.client_host = ends->client;
    ret->judgement.server_host = ends->server;
}

int policy_recall_port_vote(struct policy_memo *m, const struct policy_ends *ends, const struct tuple *t)
{
    struct question question = ask_about(m, ends, t, ends->distinct ? ASKED_DISTINCT : 0, NULL);
    struct voted   *at = &m->voted[place_of(&question, N_VOTED_BITS)];

    if (!is_same(&at->question, &question)) {
        at->vote = policy_port_vote_at(m->policy, ends, t);
        at->question = question;
    }
    return at->vote;
}

const char *const *policy_recall_expected(struct policy_memo *m, const struct tuple *t)
{
    struct policy_ends ends;

    policy_locate(m->policy, t, &ends);

    struct question  question = ask_about(m, &ends, t, 0, NULL);
    struct expected *at = &m->expected[place_of(&question, N_EXPECTED_BITS)];
    if (!is_same(&at->question, &question)) {
        at->names = policy_expected(m->policy, t);
        at->question = question;
    }
    return at->names;
}
