/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of the attempts at an expected flow, in bounded lists that do not depend on the order of the facts: of many the first
 * by their own order stay.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "expect-private.h"

/* --- which ports of which servers --------------------------------------------------------------------- */

static int compare_points(const struct point *a, const struct point *b)
{
    if (a->server != b->server)
        return a->server < b->server ? -1 : 1;
    if (a->transport != b->transport)
        return a->transport < b->transport ? -1 : 1;
    return a->port < b->port ? -1 : a->port > b->port;
}

static void add_point(struct tally *t, const struct point *p)
{
    size_t at = t->n_points;

    while (at > 0 && compare_points(&t->points[at - 1], p) > 0)
        at--;
    if (at > 0 && compare_points(&t->points[at - 1], p) == 0) {
        t->points[at - 1].families |= p->families;
        return;
    }
    t->more_points |= t->n_points == MOST_POINTS;
    if (at == MOST_POINTS)
        return;
    t->n_points -= t->n_points == MOST_POINTS;
    memmove(&t->points[at + 1], &t->points[at], (t->n_points - at) * sizeof(t->points[0]));
    t->points[at] = *p;
    t->n_points++;
}

bool packet_place_before(const struct packet_place *a, const struct packet_place *b)
{
    if (a->ns != b->ns)
        return a->ns < b->ns;
    return a->input < b->input || (a->input == b->input && a->packet < b->packet);
}

void tally_note_running(struct tally *t, const struct expect_fact *f, const struct point *p, bool by_client)
{
    int order = t->running ? compare_points(p, &t->running_at) : -1;

    if (order < 0 || (order == 0 && !by_client && t->by_client)) {
        t->running_at = *p;
        t->by_client = by_client;
        t->goes_on = f->goes_on;
    } else if (order == 0 && by_client == t->by_client && f->goes_on.packet != 0 && (t->goes_on.packet == 0 || packet_place_before(&f->goes_on, &t->goes_on)))
        t->goes_on = f->goes_on;
    t->running = true;
}

void tally_note_ended(struct tally *t, const struct expect_fact *f, const struct point *p, const struct addr *client)
{
    struct packet_place place = {f->first_ns, f->first_packet, f->input};

    if (t->ended == 0 || packet_place_before(&place, &t->ended_first)) {
        t->ended_first = place;
        t->ended_at = *p;
        t->ended_from = *client;
    }
    t->ended += f->ended;
    t->ended_by_server += f->ended_by_server;
    t->ended_by_nobody += f->ended_by_nobody;
}

static bool is_first(const struct tally *t, const struct expect_fact *f)
{
    if (!t->seen || f->first_ns != t->seen_ns)
        return !t->seen || f->first_ns < t->seen_ns;
    return f->input < t->seen_input || (f->input == t->seen_input && f->first_packet < t->seen_packet);
}

static void add_from(struct tally *t, const struct addr *client)
{
    size_t at = t->n_from;

    while (at > 0 && addr_compare(&t->from[at - 1], client) > 0)
        at--;
    if (at > 0 && addr_compare(&t->from[at - 1], client) == 0)
        return;
    t->more_from |= t->n_from == MOST_FROM;
    if (at == MOST_FROM)
        return;
    t->n_from -= t->n_from == MOST_FROM;
    memmove(&t->from[at + 1], &t->from[at], (t->n_from - at) * sizeof(t->from[0]));
    t->from[at] = *client;
    t->n_from++;
}

void tally_note(struct tally *t, const struct expect_fact *f, bool met, const struct point *p, const struct addr *client)
{
    if (met && !t->seen) { /* what was tried in vain is of no interest any more */
        t->n_points = t->n_from = 0;
        t->more_points = t->more_from = false;
    }
    if (met || !t->seen) {
        add_point(t, p);
        add_from(t, client);
    }
    if (!met)
        return;
    if (is_first(t, f)) {
        t->seen_ns = f->first_ns;
        t->seen_packet = f->first_packet;
        t->seen_input = f->input;
        t->seen_server = p->server;
        t->seen_is_answer = f->synless > 0 && f->synless == f->flows;
    }
    t->connected |= f->probes < f->flows;
    t->answered |= f->outcome != OUTCOME_ONE_WAY || f->packets[0] == 0;
    if (f->last_ns > t->seen_last_ns)
        t->seen_last_ns = f->last_ns;
    t->seen = true;
}

/* --- whose errors ---------------------------------------------------------------------------------------- */

static int compare_deniers(const struct denier *a, const struct denier *b)
{
    int c = addr_compare(&a->sender, &b->sender);

    if (a->prohibits != b->prohibits)
        return a->prohibits < b->prohibits ? -1 : 1;
    if (a->unanswered != b->unanswered)
        return a->unanswered < b->unanswered ? -1 : 1;
    if (c != 0)
        return c;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return (a->is_icmp6 > b->is_icmp6) - (a->is_icmp6 < b->is_icmp6);
}

int tally_note_denier(struct tally *t, const struct expect_fact *f)
{
    struct denier d = {.sender = f->icmp.sender, .type = f->icmp.type, .code = f->icmp.code, .is_icmp6 = f->icmp.is_icmp6,
                       .prohibits = f->outcome == OUTCOME_PROHIBITED, .unanswered = f->outcome == OUTCOME_UNANSWERED, .differ = f->errors_differ, .attempts = f->flows,
                       .late = f->icmp.n_late, .n_errors = f->icmp.n_errors - f->icmp.n_repeated, .n_before = f->icmp.n_before, .packets = f->packets[0] - f->icmp.n_copies};
    size_t        at = t->n_deniers;

    if (t->deniers == NULL && (t->deniers = calloc(MOST_DENIERS, sizeof(d))) == NULL)
        return -ENOMEM;
    while (at > 0 && compare_deniers(&t->deniers[at - 1], &d) > 0)
        at--;
    if (at > 0 && compare_deniers(&t->deniers[at - 1], &d) == 0) {
        t->deniers[at - 1].attempts += d.attempts;
        t->deniers[at - 1].late += d.late;
        t->deniers[at - 1].differ |= d.differ;
        return 0;
    }
    t->more_deniers |= t->n_deniers == MOST_DENIERS;
    if (at == MOST_DENIERS)
        return 0;
    t->n_deniers -= t->n_deniers == MOST_DENIERS;
    memmove(&t->deniers[at + 1], &t->deniers[at], (t->n_deniers - at) * sizeof(d));
    t->deniers[at] = d;
    t->n_deniers++;
    return 0;
}

/* --- the same on another port ----------------------------------------------------------------------------- */

void tally_note_elsewhere(struct tally *t, const struct expect_fact *f, const char *protocol, bool other)
{
    struct elsewhere *e = &t->elsewhere;
    bool              first = e->protocol[0] == '\0' || f->first_ns < e->first_ns ||
                 (f->first_ns == e->first_ns && (f->input < e->input || (f->input == e->input && f->first_packet < e->packet)));

    if (!first)
        return;
    *e = (struct elsewhere){
        .other = other, .server = f->query.tuple.server, .transport = f->query.tuple.transport, .port = f->query.tuple.server_port,
        .input = f->input, .packet = f->first_packet, .first_ns = f->first_ns,
    };
    snprintf(e->protocol, sizeof(e->protocol), "%s", protocol);
}

/* --- whom servers answer ------------------------------------------------------------------------------------ */

uint8_t family_of(const struct tuple *t)
{
    return addr_is_ipv4(&t->client) ? FAMILY_4 : FAMILY_6;
}

static int by_service(const void *pa, const void *pb)
{
    const struct service *a = pa, *b = pb;

    if (a->server != b->server)
        return a->server < b->server ? -1 : 1;
    if (a->transport != b->transport)
        return a->transport < b->transport ? -1 : 1;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    return a->client < b->client ? -1 : a->client > b->client;
}

void services_unite(struct services *s)
{
    size_t kept = 0;

    if (s->n > 1)
        qsort(s->items, s->n, sizeof(*s->items), by_service);
    for (size_t i = 0; i < s->n; i++) {
        if (kept > 0 && by_service(&s->items[kept - 1], &s->items[i]) == 0) {
            s->items[kept - 1].flows += s->items[i].flows;
            s->items[kept - 1].families |= s->items[i].families;
        } else
            s->items[kept++] = s->items[i];
    }
    s->n = kept;
}

int services_note(struct services *s, const struct policy *p, const struct expect_fact *f)
{
    const struct tuple *t = &f->query.tuple;
    /* SYN and ACK are an answer, whatever of the client is in the capture, and what goes on had one. */
    uint64_t            answered = f->outcome == OUTCOME_ESTABLISHED ? f->flows : f->unfinished + f->running + f->adrift + f->went_on;
    struct service      item = {.server = policy_host(p, &t->server), .client = policy_host(p, &t->client), .port = t->server_port, .transport = t->transport,
                                .families = family_of(t), .flows = answered < f->flows ? answered : f->flows};

    /* Of a connection without its beginning the server's port is the one that a row has, if either is. */
    if (item.flows == 0 || item.server == POLICY_NONE || (!f->query.direction_known && t->transport != IPPROTO_TCP) || f->query.group || f->query.answers_group)
        return 0;
    bool full = s->n == s->n_allocated;
    if (full) /* what comes twice takes no room */
        services_unite(s);
    if (full && 2 * s->n >= s->n_allocated) {
        size_t          n = s->n_allocated == 0 ? 128 : 2 * s->n_allocated;
        struct service *items = realloc(s->items, n * sizeof(*items));

        if (items == NULL)
            return -ENOMEM;
        s->items = items;
        s->n_allocated = n;
    }
    s->items[s->n++] = item;
    return 0;
}

void say_no_answer(const struct expector *x, const struct tally *t, char *what)
{
    const char *client = policy_host_name(x->p, t->client);
    uint64_t    n = t->n[OUTCOME_UNANSWERED];
    char        times[TIMES_TEXT_SIZE];

    if (t->undelivered == 0) {
        add(what, WHAT_SIZE, "no answer was seen");
        return;
    }
    if (t->undelivered < n)
        add(what, WHAT_SIZE, "no answer was seen but to %llu of them (SYN, ACK)", (unsigned long long)t->undelivered);
    else
        add(what, WHAT_SIZE, n == 1 ? "it was answered (SYN, ACK)" : "each was answered (SYN, ACK)");
    add(what, WHAT_SIZE, ", %s %s sent its SYN again after that, %s, so that the answer did not reach it", t->undelivered < n ? "and" : "but", client,
        resent_text(t->resent_syns, t->undelivered, times));
}
