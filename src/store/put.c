/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows, each through the feed of its table.  The order of the binds is that of the columns of the feed.
 * A text that is empty says as much as none and is stored as null.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"
#include "store-private.h"

static const struct feed_table tables[STORE_N_FEEDS] = {
    [FEED_INPUT] = {"input",
                    "run_id,input_id,name,path,sha256,linktype,bytes,snaplen,first_ns,last_ns,packets,decoded,discarded,dropped,"
                    "damaged,damage",
                    0, false},
    [FEED_DISCARD] = {"discard", "run_id,input_id,reason,packets", 0, false},
    [FEED_EVIDENCE] = {"evidence_file", "run_id,file_id,path,sha256,bytes,packets,first_ns,last_ns", 0, true},
    [FEED_LOSS] = {"loss", "run_id,loss_id,input_id,reason,packets,first_ns,last_ns,detail", 0, false},
    [FEED_COUNTER] = {"counter", "run_id,counter_id,name,value,text", 0, false},
    [FEED_HOST] = {"host", "run_id,host_id,address,name,roles,first_ns,last_ns,packets", 2, false},
    [FEED_ROW] = {"matrix_row",
                  "run_id,position,row_id,section,from_roles,to_roles,ports,service,condition,expect,protocols,enabled", 2, false},
    [FEED_CONVERSATION] = {"conversation",
                           "run_id,conversation_id,client,client_port_low,client_port_high,server,server_port,transport,protocol,"
                           "row_id,verdict,outcome,disposition,confidence,first_ns,last_ns,flows,packets,bytes,client_name,"
                           "server_name,protocol_detail,kind,direction,scope,packets_out,packets_in,bytes_out,bytes_in,"
                           "duplicates,summed,encapsulation,parent,interface,input_id,first_packet_number,icmp_errors,icmp_before,icmp_late",
                           2, false},
    [FEED_FLOW] = {"flow",
                   "run_id,conversation_id,flow_id,client,client_port,server,server_port,transport,vlan,community_id,first_ns,"
                   "last_ns,packets_out,packets_in,bytes_out,bytes_in,tcp_flags_out,tcp_flags_in,protocol,input_id,"
                   "first_packet_number,protocol_detail,direction,tcp_state,closed,end_reason,payload_out,payload_in,duplicates,"
                   "retransmissions,unseen_bytes_out,unseen_bytes_in,vlan_in,icmp_errors,icmp_type,icmp_code,icmp_sender,"
                   "icmp_packet_number",
                   3, false},
    [FEED_FINDING] = {"finding",
                      "run_id,finding_id,kind,severity,row_id,section,client,client_name,server,server_name,transport,"
                      "server_port,protocol,outcome,disposition,first_ns,last_ns,flows,packets,bytes,reason,waived_by,parent,"
                      "conversation_id,servers",
                      2, false},
    [FEED_EXPECTATION] = {"expectation",
                          "run_id,expectation_id,row_id,client,server,outcome,first_ns,attempts,reason,client_name,server_name,"
                          "window_start_ns,window_end_ns",
                          2, false},
};

static const char *const sql[STORE_N_STMTS] = {
    [STMT_FORGET_CONVERSATION] = "DELETE FROM conversation WHERE run_id = ? AND conversation_id = ?",
    [STMT_FORGET_FLOWS] = "DELETE FROM flow WHERE run_id = ? AND conversation_id = ?",
    [STMT_FORGET_FINDING] = "DELETE FROM finding WHERE run_id = ? AND finding_id = ?",
};

/* --- binding ------------------------------------------------------------------------------------------- */

struct bind {
    struct store *store;
    struct feed *feed;
};

static void bind_null(struct bind *b)
{
    feed_null(b->feed);
}

static void bind_int(struct bind *b, int64_t value)
{
    feed_integer(b->feed, value);
}

static void bind_count(struct bind *b, uint64_t value)
{
    bind_int(b, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

/* Null where there is nothing to say: no time, no VLAN, no conversation. */
static void bind_nonzero(struct bind *b, int64_t value)
{
    if (value == 0)
        bind_null(b);
    else
        bind_int(b, value);
}

static void bind_text(struct bind *b, const char *text)
{
    size_t len;

    if (text == NULL || text[0] == '\0') {
        bind_null(b);
    } else if (feed_text_again(b->feed, text)) { /* what was clean then is so now */
        return;
    } else if (text_is_plain(text, TEXT_LIMIT, false, &len)) {
        feed_text(b->feed, text, len);
    } else {
        char *clean = text_clean(text, TEXT_LIMIT, false, &len);

        if (clean != NULL)
            feed_text(b->feed, clean, len);
        else
            bind_null(b);
        b->feed->no_memory |= clean == NULL;
        free(clean);
    }
}

/* For columns that must not be null. */
static void bind_word(struct bind *b, const char *text)
{
    bind_text(b, text != NULL && text[0] != '\0' ? text : "?");
}

static void bind_addr(struct bind *b, const struct addr *a, char buf[static ADDR_TEXT_SIZE])
{
    bind_text(b, addr_text(a, buf));
}

static int begin(struct store *s, enum store_feed id, struct bind *ret, struct err *reterr)
{
    assert(s->run_id != 0);
    *ret = (struct bind){s, &s->feeds[id]};
    int rc = store_begin_rows(s, reterr);
    if (rc == 0 && ret->feed->table == NULL) {
        struct err why;

        if (feed_init(ret->feed, &tables[id], &why) != 0)
            return store_fail_as(s, &why, reterr);
        feed_reset(ret->feed);
    }
    if (rc == 0)
        bind_int(ret, s->run_id);
    return rc;
}

static int end(struct bind *b, struct err *reterr)
{
    struct store *s = b->store;
    struct err why;
    int rc = feed_row(b->feed, &why);

    if (rc < 0)
        return store_fail_as(s, &why, reterr);
    if (rc == 1 && feed_write(b->feed, s->db, &s->taking) != SQLITE_OK)
        return store_fail(s, "cannot write", reterr);
    return store_row_done(s, reterr);
}

/* --- what was looked at ----------------------------------------------------------------------------------- */

int store_put_input(struct store *s, const struct store_input *in, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_INPUT, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, in->input_id);
    bind_text(&b, in->name);
    bind_text(&b, in->path);
    bind_text(&b, in->sha256);
    bind_text(&b, in->linktype);
    bind_count(&b, in->bytes);
    bind_int(&b, in->snaplen);
    bind_nonzero(&b, in->first_ns);
    bind_nonzero(&b, in->last_ns);
    bind_count(&b, in->packets);
    bind_count(&b, in->decoded);
    bind_count(&b, in->discarded);
    bind_count(&b, in->dropped);
    bind_int(&b, in->damaged);
    bind_text(&b, in->damage);
    return end(&b, reterr);
}

int store_put_discard(struct store *s, const struct store_discard *d, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_DISCARD, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, d->input_id);
    bind_word(&b, d->reason);
    bind_count(&b, d->packets);
    return end(&b, reterr);
}

int store_put_evidence(struct store *s, const struct store_evidence *e, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_EVIDENCE, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, e->file_id);
    bind_text(&b, e->path);
    bind_word(&b, e->sha256);
    bind_count(&b, e->bytes);
    bind_count(&b, e->packets);
    bind_nonzero(&b, e->first_ns);
    bind_nonzero(&b, e->last_ns);
    return end(&b, reterr);
}

int store_put_loss(struct store *s, const struct store_loss *l, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_LOSS, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, ++s->next_id[FEED_LOSS]);
    bind_nonzero(&b, l->input_id);
    bind_word(&b, l->reason);
    if (l->packets_known)
        bind_count(&b, l->packets);
    else
        bind_null(&b);
    bind_nonzero(&b, l->first_ns);
    bind_nonzero(&b, l->last_ns);
    bind_text(&b, l->detail);
    return end(&b, reterr);
}

int store_put_counter(struct store *s, const struct store_counter *c, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_COUNTER, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, ++s->next_id[FEED_COUNTER]);
    bind_word(&b, c->name);
    bind_count(&b, c->value);
    bind_text(&b, c->text);
    return end(&b, reterr);
}

int store_put_host(struct store *s, const struct store_host *h, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_HOST, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, ++s->next_id[FEED_HOST]);
    bind_word(&b, h->address);
    bind_text(&b, h->name);
    bind_text(&b, h->roles);
    bind_nonzero(&b, h->first_ns);
    bind_nonzero(&b, h->last_ns);
    bind_count(&b, h->packets);
    return end(&b, reterr);
}

int store_put_row(struct store *s, const struct store_row *r, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_ROW, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, r->position);
    bind_word(&b, r->row_id);
    bind_text(&b, r->section);
    bind_text(&b, r->from_roles);
    bind_text(&b, r->to_roles);
    bind_text(&b, r->ports);
    bind_text(&b, r->service);
    bind_text(&b, r->condition);
    bind_text(&b, r->expect);
    bind_text(&b, r->protocols);
    bind_int(&b, r->enabled);
    return end(&b, reterr);
}

/* --- conversations and flows --------------------------------------------------------------------------------- */

int store_put_conversation(struct store *s, const struct store_conversation *c, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_CONVERSATION, &b, reterr);

    if (rc != 0)
        return rc;
    bind_count(&b, c->conversation_id);
    bind_text(&b, c->client);
    bind_int(&b, c->client_port_low);
    bind_int(&b, c->client_port_high);
    bind_text(&b, c->server);
    if (c->server_port_summed)
        bind_null(&b);
    else
        bind_int(&b, c->server_port);
    bind_word(&b, c->transport);
    bind_text(&b, c->protocol);
    bind_text(&b, c->row_id);
    bind_word(&b, c->verdict);
    bind_word(&b, c->outcome);
    bind_text(&b, c->disposition);
    bind_text(&b, c->confidence);
    bind_nonzero(&b, c->first_ns);
    bind_nonzero(&b, c->last_ns);
    bind_count(&b, c->flows);
    bind_count(&b, c->packets);
    bind_count(&b, c->bytes);
    bind_text(&b, c->client_name);
    bind_text(&b, c->server_name);
    bind_text(&b, c->protocol_detail);
    bind_text(&b, c->kind);
    bind_text(&b, c->direction_basis);
    bind_text(&b, c->scope);
    bind_count(&b, c->packets_out);
    bind_count(&b, c->packets_in);
    bind_count(&b, c->bytes_out);
    bind_count(&b, c->bytes_in);
    bind_count(&b, c->duplicates);
    bind_count(&b, c->n_summed);
    bind_text(&b, c->encap);
    bind_text(&b, c->parent);
    bind_text(&b, c->interface);
    bind_nonzero(&b, c->input_id);
    bind_nonzero(&b, (int64_t)c->first_packet);
    bind_count(&b, c->icmp_errors);
    bind_count(&b, c->icmp_before);
    bind_count(&b, c->icmp_late);
    return end(&b, reterr);
}

/* The four reasons of RFC 5102 by their numbers' meaning, and our fifth. */
static const char *end_name(enum flow_end end_reason)
{
    static const char *const names[] = {
        [FLOW_END_IDLE] = "idle",     [FLOW_END_ACTIVE] = "active",   [FLOW_END_CLOSED] = "closed",
        [FLOW_END_FORCED] = "forced", [FLOW_END_EVICTED] = "evicted",
    };

    return (size_t)end_reason < sizeof(names) / sizeof(names[0]) ? names[end_reason] : NULL;
}

static const char *closed_name(enum flow_closed closed)
{
    return closed == FLOW_CLOSED_FIN ? "fin" : closed == FLOW_CLOSED_RST ? "rst" : NULL;
}

static void bind_tcp_flags(struct bind *b, const struct flow_record *r, unsigned side)
{
    if (r->tuple.transport == IPPROTO_TCP)
        bind_int(b, r->tcp_flags[side]);
    else
        bind_null(b);
}

static void bind_icmp(struct bind *b, const struct flow_icmp *icmp, char buf[static ADDR_TEXT_SIZE])
{
    bind_count(b, icmp->n_errors);
    if (icmp->n_errors == 0) {
        for (int i = 0; i < 4; i++)
            bind_null(b);
        return;
    }
    bind_int(b, icmp->type);
    bind_int(b, icmp->code);
    bind_addr(b, &icmp->sender, buf);
    bind_count(b, icmp->packet_number);
}

int store_put_flow(struct store *s, const struct store_flow *f, struct err *reterr)
{
    const struct flow_record *r = f->record;
    char client[ADDR_TEXT_SIZE], server[ADDR_TEXT_SIZE], sender[ADDR_TEXT_SIZE];
    struct bind b;
    int rc = begin(s, FEED_FLOW, &b, reterr);

    if (rc != 0)
        return rc;
    bind_count(&b, f->conversation_id);
    bind_count(&b, f->flow_id);
    bind_addr(&b, &r->tuple.client, client);
    bind_int(&b, r->tuple.client_port);
    bind_addr(&b, &r->tuple.server, server);
    bind_int(&b, r->tuple.server_port);
    bind_text(&b, r->tuple.transport == IPPROTO_TCP ? "tcp" : "udp");
    bind_nonzero(&b, r->vlan[0]);
    bind_text(&b, f->community_id);
    bind_nonzero(&b, r->first_ns);
    bind_nonzero(&b, r->last_ns);
    for (unsigned i = 0; i < 2; i++)
        bind_count(&b, r->packets[i]);
    for (unsigned i = 0; i < 2; i++)
        bind_count(&b, r->bytes[i]);
    for (unsigned i = 0; i < 2; i++)
        bind_tcp_flags(&b, r, i);
    bind_text(&b, r->app.name);
    bind_int(&b, f->input_id);
    bind_count(&b, r->first_packet);
    bind_text(&b, r->app.detail);
    bind_text(&b, direction_basis_name(r->direction));
    bind_text(&b, r->tuple.transport == IPPROTO_TCP ? tcp_state_name(r->tcp_state) : NULL);
    bind_text(&b, closed_name(r->closed));
    bind_text(&b, end_name(r->end));
    for (unsigned i = 0; i < 2; i++)
        bind_count(&b, r->payload[i]);
    bind_count(&b, r->duplicates);
    bind_count(&b, r->retransmissions);
    for (unsigned i = 0; i < 2; i++)
        bind_count(&b, r->unseen_bytes[i]);
    bind_nonzero(&b, r->vlan[1]);
    bind_icmp(&b, &r->icmp, sender);
    return end(&b, reterr);
}

/* --- results --------------------------------------------------------------------------------------------- */

int store_put_finding(struct store *s, const struct store_finding *f, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_FINDING, &b, reterr);

    if (rc != 0)
        return rc;
    bind_count(&b, f->finding_id);
    bind_word(&b, f->kind);
    bind_word(&b, f->severity);
    bind_text(&b, f->row_id);
    bind_text(&b, f->section);
    bind_text(&b, f->client);
    bind_text(&b, f->client_name);
    bind_text(&b, f->server);
    bind_text(&b, f->server_name);
    bind_text(&b, f->transport);
    if (f->has_port)
        bind_int(&b, f->server_port);
    else
        bind_null(&b);
    bind_text(&b, f->protocol);
    bind_text(&b, f->outcome);
    bind_text(&b, f->disposition);
    bind_nonzero(&b, f->first_ns);
    bind_nonzero(&b, f->last_ns);
    bind_count(&b, f->flows);
    bind_count(&b, f->packets);
    bind_count(&b, f->bytes);
    bind_word(&b, f->reason);
    bind_text(&b, f->waived_by);
    bind_text(&b, f->parent);
    bind_nonzero(&b, f->conversation_id > INT64_MAX ? INT64_MAX : (int64_t)f->conversation_id);
    bind_text(&b, f->servers);
    return end(&b, reterr);
}

int store_put_expectation(struct store *s, const struct store_expectation *e, struct err *reterr)
{
    struct bind b;
    int rc = begin(s, FEED_EXPECTATION, &b, reterr);

    if (rc != 0)
        return rc;
    bind_int(&b, ++s->next_id[FEED_EXPECTATION]);
    bind_word(&b, e->row_id);
    bind_text(&b, e->client);
    bind_text(&b, e->server);
    bind_word(&b, e->outcome);
    bind_nonzero(&b, e->first_ns);
    bind_count(&b, e->attempts);
    bind_text(&b, e->reason);
    bind_text(&b, e->client_name);
    bind_text(&b, e->server_name);
    bind_nonzero(&b, e->window_start_ns);
    bind_nonzero(&b, e->window_end_ns);
    return end(&b, reterr);
}

/* --- what is written again --------------------------------------------------------------------------------- */

/* What was written before goes: rows that wait have to be there, and a digest of all that came says nothing any more. */
static int ready_to_forget(struct store *s, const enum store_feed *ids, size_t n, struct err *reterr)
{
    int rc = store_ready(s, reterr);

    for (size_t i = 0; rc == 0 && i < n; i++)
        if (s->feeds[ids[i]].table != NULL)
            s->feeds[ids[i]].in_order = false;
    return rc;
}

static int forget(struct store *s, enum store_stmt id, enum store_feed feed, uint64_t number, struct err *reterr)
{
    int rc = ready_to_forget(s, &feed, 1, reterr);

    if (rc != 0)
        return rc;
    assert(s->run_id != 0);
    if (s->stmts[id] == NULL && sqlite3_prepare_v3(s->db, sql[id], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[id], NULL) != SQLITE_OK)
        return store_fail(s, "cannot write", reterr);
    sqlite3_bind_int64(s->stmts[id], 1, s->run_id);
    sqlite3_bind_int64(s->stmts[id], 2, number > INT64_MAX ? INT64_MAX : (int64_t)number);
    int code = sqlite3_step(s->stmts[id]) == SQLITE_DONE ? 0 : store_fail(s, "cannot write", reterr);
    sqlite3_reset(s->stmts[id]);
    return code == 0 ? store_row_done(s, reterr) : code;
}

int store_forget_conversation(struct store *s, uint64_t conversation_id, struct err *reterr)
{
    int rc = forget(s, STMT_FORGET_FLOWS, FEED_FLOW, conversation_id, reterr);

    return rc == 0 ? forget(s, STMT_FORGET_CONVERSATION, FEED_CONVERSATION, conversation_id, reterr) : rc;
}

int store_forget_finding(struct store *s, uint64_t finding_id, struct err *reterr)
{
    return forget(s, STMT_FORGET_FINDING, FEED_FINDING, finding_id, reterr);
}

/* All rows that the run has in these tables: they begin anew. */
static int empty(struct store *s, const enum store_feed *ids, size_t n, struct err *reterr)
{
    int rc = ready_to_forget(s, ids, n, reterr);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        char text[96];

        sqlite3_snprintf(sizeof(text), text, "DELETE FROM %s WHERE run_id = %lld", tables[ids[i]].name, (long long)s->run_id);
        if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
            return store_fail(s, "cannot write", reterr);
        s->next_id[ids[i]] = 0;
        if (s->feeds[ids[i]].table != NULL)
            feed_reset(&s->feeds[ids[i]]);
    }
    return rc;
}

int store_forget_summary(struct store *s, bool with_hosts, struct err *reterr)
{
    static const enum store_feed summary[] = {FEED_INPUT, FEED_DISCARD, FEED_LOSS, FEED_COUNTER, FEED_HOST, FEED_EXPECTATION};

    return empty(s, summary, with_hosts ? 6 : 4, reterr);
}

int store_forget_judged(struct store *s, struct err *reterr)
{
    static const enum store_feed judged[] = {FEED_CONVERSATION, FEED_FLOW, FEED_FINDING, FEED_ROW};

    return empty(s, judged, sizeof(judged) / sizeof(judged[0]), reterr);
}
