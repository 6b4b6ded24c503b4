/* SPDX-License-Identifier: Apache-2.0 */
/* The finished audit into the store: names and words instead of indexes. */
#include <netinet/in.h>
#include <stdio.h>

#include "flowaudit/classify.h"
#include "flowaudit/packet.h"

#include "record-private.h"

/* --- inputs -------------------------------------------------------------------------------------------- */

static void linktype_names(const struct capture_stats *stats, char *ret, size_t size)
{
    size_t len = 0;
    char   buf[64];

    ret[0] = '\0';
    for (unsigned i = 0; i < stats->n_linktypes && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", i > 0 ? ", " : "",
                                capture_linktype_name(stats->linktypes[i], buf, sizeof(buf)));
}

int audit_record_discards(struct store *store, uint32_t id, const uint64_t *results, uint64_t *ret_sum, struct err *reterr)
{
    int rc = 0;

    *ret_sum = 0;
    for (size_t r = 0; rc == 0 && r < PACKET_N_RESULTS; r++) {
        if (r == PACKET_OK || results[r] == 0)
            continue;
        struct store_discard d = {id, packet_result_name((enum packet_result)r), results[r]};

        *ret_sum += results[r];
        rc = store_put_discard(store, &d, reterr);
    }
    return rc;
}

static int record_losses(struct store *store, uint32_t id, const struct capture_stats *stats, struct err *reterr)
{
    struct store_loss loss = {
        .input_id = id,
        .reason = "stated-by-file",
        .packets = stats->n_stated_drops,
        .packets_known = true,
        .first_ns = stats->first_ns,
        .last_ns = stats->last_ns,
        .detail = "the capture file itself says that packets were dropped",
    };

    return stats->n_stated_drops > 0 ? store_put_loss(store, &loss, reterr) : 0;
}

/* The run was stopped, or failed, before the input's end: how much was left nobody knows. */
static int record_unread(struct store *store, uint32_t id, const struct capture_stats *stats, struct err *reterr)
{
    struct store_loss loss = {
        .input_id = id,
        .reason = "unread-at-stop",
        .first_ns = stats->last_ns,
        .detail = "the run ended before this input did",
    };

    return store_put_loss(store, &loss, reterr);
}

static void sum_results(const struct audit *a, size_t input, uint64_t *sums)
{
    memset(sums, 0, PACKET_N_RESULTS * sizeof(*sums));
    for (size_t i = 0; i < a->n_parts; i++) {
        const uint64_t *results = &a->parts[i]->results[input * PACKET_N_RESULTS];

        for (size_t k = 0; k < PACKET_N_RESULTS; k++)
            sums[k] += results[k];
    }
}

static int record_input(struct audit *a, struct store *store, size_t i, struct err *reterr)
{
    struct capture_stats stats;
    uint64_t             results[PACKET_N_RESULTS], discarded;
    char                 linktypes[512];
    uint32_t             id = (uint32_t)i + 1;

    inputs_stats(a->inputs, i, &stats);
    sum_results(a, i, results);
    results[PACKET_FILTERED] += stats.n_filtered;
    linktype_names(&stats, linktypes, sizeof(linktypes));
    int rc = audit_record_discards(store, id, results, &discarded, reterr);
    if (rc == 0)
        rc = record_losses(store, id, &stats, reterr);
    if (rc == 0 && !inputs_finished(a->inputs, i) && !stats.damaged)
        rc = record_unread(store, id, &stats, reterr);
    bool unfinished = !inputs_finished(a->inputs, i) && !stats.damaged;
    struct store_input in = {
        .input_id = id,
        .name = inputs_name(a->inputs, i),
        .path = inputs_path(a->inputs, i),
        .sha256 = stats.sha256,
        .linktype = linktypes,
        .bytes = stats.n_bytes,
        .snaplen = stats.snaplen,
        .first_ns = stats.first_ns,
        .last_ns = stats.last_ns,
        .packets = stats.n_packets,
        .decoded = results[PACKET_OK],
        .discarded = discarded,
        .dropped = stats.n_stated_drops,
        .damaged = stats.damaged || unfinished,
        .damage = stats.damaged ? stats.damage : !unfinished ? NULL : a->result->stopped ? "not read to its end: a signal stopped the run" : "not read to its end",
    };
    return rc == 0 ? store_put_input(store, &in, reterr) : rc;
}

int audit_record_unseen(struct audit *a, struct store *store, struct err *reterr)
{
    char              detail[160];
    struct store_loss loss = {
        .input_id = 0,
        .reason = "estimated-unseen",
        .first_ns = a->totals.first_ns,
        .last_ns = a->totals.last_ns,
        .detail = detail,
    };

    if (a->totals.n_unseen_bytes == 0)
        return 0;
    if (a->totals.n_unseen_bytes == 1)
        snprintf(detail, sizeof(detail), "1 byte of TCP data, or an end of a connection, was acknowledged by its receiver and is not in the capture");
    else
        snprintf(detail, sizeof(detail), "%llu bytes of TCP data, an end of a connection counted as one, were acknowledged by their receivers and are not in the capture",
                 (unsigned long long)a->totals.n_unseen_bytes);
    return store_put_loss(store, &loss, reterr);
}

/* --- the matrix as applied, hosts, counters --------------------------------------------------------------- */

static void join_names(const struct rules_names *names, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < names->n && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", i > 0 ? " " : "", names->items[i].text);
}

int audit_record_rows(struct audit *a, struct store *store, struct err *reterr)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < policy_n_rows(a->policy); i++) {
        const struct matrix_row *row = policy_row(a->policy, i);
        char                     protocols[256];
        struct store_row         r = {
                    .row_id = row->id.text,
                    .section = row->section,
                    .from_roles = row->from_text,
                    .to_roles = row->to_text,
                    .ports = row->ports_text,
                    .service = row->service,
                    .condition = row->condition,
                    .expect = policy_row_required(a->policy, i) ? "required" : "on-demand",
                    .protocols = protocols,
                    .enabled = policy_row_enabled(a->policy, i),
                    .position = (int)i + 1,
        };

        join_names(&row->protocols, protocols, sizeof(protocols));
        rc = store_put_row(store, &r, reterr);
    }
    return rc;
}

int audit_record_hosts(struct audit *a, struct store *store, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0, next; rc == 0 && i < a->n_hosts; i = next) {
        const struct shard_host *h = &a->hosts[i];
        char                     text[ADDR_TEXT_SIZE];
        uint32_t                 host = policy_host(a->policy, &h->addr);
        int64_t                  last_ns = h->last_ns;
        uint64_t                 packets = 0;

        for (next = i; next < a->n_hosts && addr_compare(&a->hosts[next].addr, &h->addr) == 0; next++) { /* its windows */
            last_ns = a->hosts[next].last_ns;
            packets += a->hosts[next].sent + a->hosts[next].received;
        }
        struct store_host        s = {
                   .address = addr_text(&h->addr, text),
                   .name = policy_host_name(a->policy, host),
                   .roles = policy_host_roles(a->policy, host),
                   .first_ns = h->first_ns,
                   .last_ns = last_ns,
                   .packets = packets,
        };

        rc = h->first_ns <= last_ns ? store_put_host(store, &s, reterr) : 0; /* else all that went to it was cut before the ports */
    }
    return rc;
}

/* Flows of the conversations that stand for further ones. */
static uint64_t summed_flows(const struct audit *a)
{
    uint64_t n = 0;

    for (size_t i = 0; i < a->n_conversations; i++)
        if (a->conversations[i]->key.summed != SUM_NONE)
            n += a->conversations[i]->flows;
    return n;
}

/* What is odd, and told only where there is some of it: most captures have none. */
static int record_odd_counters(struct audit *a, struct store *store, struct err *reterr)
{
    struct capture_stats all = {0}, one;
    char                 back[120];
    int                  rc = 0;

    for (size_t i = 0; i < inputs_count(a->inputs); i++) {
        inputs_stats(a->inputs, i, &one);
        all.n_time_back += one.n_time_back;
        all.n_clock_steps += one.n_clock_steps;
        all.n_odd_times += one.n_odd_times;
        all.n_odd_lengths += one.n_odd_lengths;
        if (one.most_back_ns > all.most_back_ns)
            all.most_back_ns = one.most_back_ns;
    }
    snprintf(back, sizeof(back), "packets earlier than the one before them in their input, by %lld.%09lld s at most",
             (long long)(all.most_back_ns / 1000000000), (long long)(all.most_back_ns % 1000000000));
    const struct store_counter counters[] = {
        {"times-back", all.n_time_back, back},
        {"clock-steps", all.n_clock_steps, "of these: by more than a second, so a clock was set, or files were joined: lengths of time may be wrong by as much"},
        {"lone-resets", a->coverage.resets, "TCP flows of hosts of the site of which a RST of one side is all that was captured"},
        {"unseen-flow-errors", a->totals.n_unseen_errors, "ICMP errors about packets of hosts of the site that are not in the capture, or only later in it"},
        {"unseen-bytes", a->totals.n_unseen_bytes, "bytes of TCP data, an end of a connection counted as one, that were acknowledged and not captured"},
        {"flow-bytes", a->totals.n_unseen_bytes > 0 ? a->coverage.bytes : 0, "bytes of the packets of TCP and UDP that were tracked: what the unseen bytes are a share of"},
        {"odd-times", all.n_odd_times, "packets whose record has no possible time: they are told with that of the packet before them in their input (1970 where there is none), or, where only the part of a second is none, with the end of that second"},
        {"odd-lengths", all.n_odd_lengths, "packets whose record says that more was captured than there was"},
    };
    for (size_t i = 0; rc == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
        rc = counters[i].value > 0 ? store_put_counter(store, &counters[i], reterr) : 0;
    return rc;
}

int audit_record_counters(struct audit *a, struct store *store, struct err *reterr)
{
    const struct shard_totals *t = &a->totals;
    const struct store_counter counters[] = {
        {"tcp-sessions", a->coverage.sessions, "TCP sessions of hosts of the site that were more than tried"},
        {"one-sided-sessions", a->coverage.one_sided, "of these: with one direction only in the capture"},
        {"flows", t->n_flows, "flows tracked"},
        {"duplicate-packets", t->n_duplicates, "packets that repeat one of the last few of their flow, as where a span port copies each twice, or a capture point sees it before and after a router"},
        {"retransmissions", t->n_retransmissions, "TCP segments with data seen again: sent anew, or copies that come later than those"},
        {"cut-flows", t->n_cut_flows, "flows with packets that are shorter in the capture than they say: cut by the snap length, or sent so"},
        {"evicted-flows", t->n_evicted, "flows ended early for want of memory"},
        {"content-given-up", t->n_content_given_up, "flows whose content was not looked at to the end for want of memory"},
        {"summed-up-flows", summed_flows(a), "flows told together in one conversation, beyond those that are listed one by one"},
        {"flows-not-recorded", t->n_flow_memory_lost, "flows that could not be recorded for want of memory"},
        {"group-queries-not-kept", t->n_group_queries_lost, "queries to broadcast or multicast addresses beyond the bound"},
        {"hosts-not-kept", t->n_hosts_lost, "observations of hosts beyond the bound"},
        {"windows-not-evaluated", a->n_windows_left, "windows beyond the bound on their number: nothing was expected in them"},
        {"windows-empty", a->n_windows_empty, "windows in which nothing of the site was seen, left out since all are beyond the bound on their number"},
        {"window-flows-not-kept", a->n_uses_lost, "flows of which it is not kept in which windows they were: nothing is concluded from their absence where they may have been"},
        {"negotiated-ports-not-kept", announcements_lost(&a->announcements), "messages that negotiate ports, beyond the bound"},
        {"signalling-not-followed", t->n_signalling_lost, "connections that may negotiate ports, beyond the bound: what they negotiated is not known"},
        {"signalling-messages-not-kept", t->n_messages_lost, "messages that may negotiate ports, given up for want of room"},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
        rc = store_put_counter(store, &counters[i], reterr);
    return rc == 0 ? record_odd_counters(a, store, reterr) : rc;
}

/* --- conversations and flows --------------------------------------------------------------------------------- */

static const char *encap_text(const struct conversation *c, char *ret, size_t size)
{
    static const char *const names[] = {"vlan", "qinq", "mpls", "pppoe", "gre", "erspan", "vxlan", "geneve", "ip-in-ip", "teredo"};
    size_t                   len = 0;

    if (c->encap == 0)
        return NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && len < size; i++) {
        if ((c->encap & (1u << i)) == 0)
            continue;
        const char *separator = len > 0 ? ", " : "";
        if (i == 0 && c->vlan != 0) /* 0: not all of its packets have the tag, or it is a tag of priority */
            len += (size_t)snprintf(ret + len, size - len, "%s%s %u", separator, names[i], c->vlan);
        else
            len += (size_t)snprintf(ret + len, size - len, "%s%s", separator, names[i]);
    }
    return ret;
}

/* Which rule of the scope applied, for those that are not judged. */
static const char *scope_name(const struct conversation *c)
{
    if (c->judgement.ignored)
        return "ignored";
    if (c->group)
        return "broadcast-or-multicast";
    if (c->answers_group)
        return "answer-to-broadcast";
    if (c->key.summed == SUM_NONE && addr_compare(&c->key.client, &c->key.server) == 0)
        return "to-itself";
    return c->key.verdict == VERDICT_NOT_GOVERNED ? "out-of-scope" : "judged";
}

void describe_end(const struct audit *a, const struct conversation *c, const struct addr *addr, uint32_t host, struct end *ret)
{
    static const struct addr nobody;

    ret->addr = NULL;
    ret->name = c->key.summed == SUM_PEERS ? policy_host_name(a->policy, host) : "";
    if (c->key.summed != SUM_NONE && addr_compare(addr, &nobody) == 0)
        return;
    ret->addr = addr_text(addr, ret->text);
    ret->name = policy_host_name(a->policy, policy_host(a->policy, addr));
}

int audit_record_conversation(struct audit *a, struct store *store, const struct conversation *c, struct err *reterr)
{
    char                    encap[128], parent[PARENT_SIZE] = "no-parent";
    struct end              client, server;
    const struct judgement *j = &c->judgement;

    describe_end(a, c, &c->key.client, j->client_host, &client);
    describe_end(a, c, &c->key.server, j->server_host, &server);
    if (c->parent != NULL)
        audit_parent_text(a, c->parent, parent, sizeof(parent));
    struct store_conversation s = {
        .conversation_id = c->id,
        .client = client.addr,
        .server = server.addr,
        .client_port_low = c->client_port_low,
        .client_port_high = c->client_port_high,
        .server_port = c->key.server_port,
        .server_port_summed = c->key.summed == SUM_PORTS || c->key.summed == SUM_PEERS,
        .client_name = client.name,
        .server_name = server.name,
        .transport = transport_name(c->key.transport),
        .protocol = c->key.summed == SUM_NONE ? c->app->name : "",
        .protocol_detail = c->key.summed == SUM_NONE ? c->app->detail : "",
        .row_id = row_id(a, j->row),
        .verdict = verdict_name(j->verdict),
        .kind = finding_kind_name(j->kind),
        .outcome = outcome_name((enum outcome)c->key.outcome),
        .disposition = disposition_name(conversation_disposition(c)),
        .confidence = confidence_name(j->confidence),
        .direction_basis = direction_basis_name(c->basis),
        .scope = scope_name(c),
        .first_ns = c->first_ns,
        .last_ns = c->last_ns,
        .flows = c->flows,
        .packets = c->packets[0] + c->packets[1],
        .bytes = c->bytes[0] + c->bytes[1],
        .packets_out = c->packets[0],
        .packets_in = c->packets[1],
        .bytes_out = c->bytes[0],
        .bytes_in = c->bytes[1],
        .duplicates = c->duplicates,
        .n_summed = c->n_summed,
        .encap = encap_text(c, encap, sizeof(encap)),
        .parent = c->parent != NULL || c->no_parent ? parent : NULL,
        .interface = c->bind != NULL ? c->bind->what : NULL,
        .input_id = (uint32_t)c->first_input + 1,
        .first_packet = c->first_packet,
        .icmp_errors = c->icmp != NULL ? c->icmp->n_errors : 0,
        .icmp_before = c->icmp != NULL ? c->icmp->n_before : 0,
        .icmp_late = c->icmp != NULL ? c->icmp->n_late : 0,
    };

    return store_put_conversation(store, &s, reterr);
}

int audit_record_flows(struct store *store, const struct conversation *c, uint64_t *next_id, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->n_kept; i++) {
        const struct kept_flow *k = &c->kept[i];
        struct flow_record      r;
        char                    id[COMMUNITY_ID_SIZE];
        struct store_flow       f = {
                  .flow_id = (*next_id)++,
                  .conversation_id = c->id,
                  .record = &r,
                  .input_id = (uint32_t)k->input + 1,
                  .community_id = community_id(&k->tuple, id) == 0 ? id : NULL,
        };

        kept_flow_record(k, &r);
        rc = store_put_flow(store, &f, reterr);
    }
    return rc;
}

static int record_conversations(struct audit *a, struct store *store, struct err *reterr)
{
    uint64_t next_flow = 1;
    int      rc = 0;

    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++) {
        rc = audit_record_conversation(a, store, a->conversations[i], reterr);
        if (rc == 0)
            rc = audit_record_flows(store, a->conversations[i], &next_flow, reterr);
    }
    return rc;
}

/* --- findings and expectations --------------------------------------------------------------------------------- */

static int put_finding(void *aux, const struct store_finding *s, struct err *reterr)
{
    return store_put_finding(aux, s, reterr);
}

int audit_record_expectations(struct audit *a, struct store *store, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < a->n_expectations; i++) {
        const struct expectation *e = &a->expectations[i];
        char                      sentence[SENTENCE_SIZE];
        struct store_expectation  s = {
             .row_id = row_id(a, e->row),
             .client = policy_host_address(a->policy, e->client_host),
             .client_name = policy_host_name(a->policy, e->client_host),
             .server = policy_host_address(a->policy, e->server_host),
             .server_name = policy_host_name(a->policy, e->server_host),
             .outcome = expectation_outcome_name(e->outcome),
             .first_ns = e->first_ns,
             .attempts = e->attempts,
             .reason = expectation_text(a, e, sentence),
             .window_start_ns = a->options->window_ns > 0 ? e->window_start_ns : 0,
             .window_end_ns = a->options->window_ns > 0 ? e->window_end_ns : 0,
        };

        rc = store_put_expectation(store, &s, reterr);
    }
    return rc;
}

int audit_record(struct audit *a, struct store *store, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < inputs_count(a->inputs); i++)
        rc = record_input(a, store, i, reterr);
    if (rc == 0)
        rc = audit_record_unseen(a, store, reterr);
    if (rc == 0)
        rc = audit_record_rows(a, store, reterr);
    if (rc == 0)
        rc = audit_record_hosts(a, store, reterr);
    if (rc == 0)
        rc = audit_record_counters(a, store, reterr);
    if (rc == 0)
        rc = record_conversations(a, store, reterr);
    for (size_t i = 0; rc == 0 && i < a->n_findings; i++)
        rc = audit_tell_finding(a, &a->findings[i], i + 1, put_finding, store, reterr);
    if (rc == 0)
        rc = audit_record_expectations(a, store, reterr);
    return rc;
}
