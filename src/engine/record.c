/* SPDX-License-Identifier: Apache-2.0 */
/* The finished audit into the store: names and words instead of indexes. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "flowaudit/classify.h"
#include "flowaudit/packet.h"

#define SENTENCE_SIZE 2048
#define PARENT_SIZE 1024

static const char *transport_name(uint8_t transport)
{
    return transport == IPPROTO_TCP ? "tcp" : "udp";
}

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
        .damage = stats.damaged ? stats.damage : unfinished ? "not read to its end" : NULL,
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
        {"odd-times", all.n_odd_times, "packets whose record has no possible time: the nearest possible one was taken"},
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
        {"negotiated-ports-not-kept", a->announcements.n_lost, "messages that negotiate ports, beyond the bound"},
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

/* An end of a conversation in words: its address and its name at the site.  A sum may have neither, or the name alone. */
struct end {
    const char *addr, *name;
    char        text[ADDR_TEXT_SIZE];
};

static void describe_end(const struct audit *a, const struct conversation *c, const struct addr *addr, uint32_t host, struct end *ret)
{
    static const struct addr nobody;

    ret->addr = NULL;
    ret->name = c->key.summed == SUM_PEERS ? policy_host_name(a->policy, host) : "";
    if (c->key.summed != SUM_NONE && addr_compare(addr, &nobody) == 0)
        return;
    ret->addr = addr_text(addr, ret->text);
    ret->name = policy_host_name(a->policy, policy_host(a->policy, addr));
}

static const char *row_id(const struct audit *a, uint32_t row)
{
    return row != POLICY_NONE ? policy_row(a->policy, row)->id.text : NULL;
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

const char *audit_end_text(const struct audit *a, const struct addr *addr, char *buf, size_t size)
{
    char     text[ADDR_TEXT_SIZE];
    uint32_t host = policy_host(a->policy, addr);

    addr_text(addr, text);
    if (host != POLICY_NONE)
        snprintf(buf, size, "%s (%s)", policy_host_name(a->policy, host), text);
    else
        snprintf(buf, size, "%s", text);
    return buf;
}

/* What is known of the ends of a sum that tells no addresses. */
static const char *entry_text(const struct audit *a, uint32_t host)
{
    return host != POLICY_NONE ? policy_host_name(a->policy, host) : "hosts that the site file does not name";
}

/* What became of all of a sum. */
static const char *sum_outcome(const struct conversation *c)
{
    switch ((enum outcome)c->key.outcome) {
    case OUTCOME_ESTABLISHED:
        return c->probes == c->flows ? "all were found open (SYN, ACK), and no data was seen" :
               c->probes > 0         ? "some connected, others were only probed (SYN, ACK, then reset)" : "they got through";
    case OUTCOME_REFUSED:
        return "all were refused";
    case OUTCOME_PROHIBITED:
        return "all were answered by errors, or by RSTs that are not like the server's packets";
    case OUTCOME_UNANSWERED:
        return c->undelivered == 0         ? "no answer was seen" :
               c->undelivered == c->flows ? "answers (SYN, ACK) were seen, and did not reach the client" : "no answer was seen, or none that reached the client";
    case OUTCOME_ONE_WAY:
        break;
    }
    if (c->unfinished == c->flows)
        return "all were found open (SYN, ACK), and nothing more of the client was seen";
    return c->unfinished + c->untold > 0 ? "too little was seen to tell whether they got through" : "no packet the other way was seen";
}

static const char *sum_deed(const struct conversation *c)
{
    if (c->key.transport == IPPROTO_TCP && c->key.outcome == OUTCOME_ONE_WAY && c->unfinished == c->flows)
        return "tried";
    if (c->key.transport != IPPROTO_TCP || c->key.outcome == OUTCOME_ONE_WAY)
        return "sent to";
    if (c->key.outcome != OUTCOME_ESTABLISHED)
        return "tried";
    return c->probes == c->flows ? "probed" : c->probes > 0 ? "reached" : "connected to";
}

static const char *clients_text(const struct conversation *c, char *buf, size_t size)
{
    char low[ADDR_TEXT_SIZE], high[ADDR_TEXT_SIZE];

    addr_text(&c->client_low, low);
    addr_text(&c->client_high, high);
    snprintf(buf, size, strcmp(low, high) == 0 ? "%s%s" : "%s to %s", low, strcmp(low, high) == 0 ? "" : high);
    return buf;
}

static const char *server_ports_text(const struct conversation *c, char buf[static 24])
{
    snprintf(buf, 24, c->server_port_low == c->server_port_high ? "%u" : "%u to %u", c->server_port_low, c->server_port_high);
    return buf;
}

/* Of many conversations what they share is said, and between which bounds they are; of the earliest of them the sentence goes on to tell. */
static int describe_sum(const struct audit *a, const struct conversation *c, char *sentence)
{
    static const char  beyond[] = "beyond those that are listed one by one";
    char               client[256], server[256], clients[2 * ADDR_TEXT_SIZE + 8], ports[24];
    unsigned long long n = c->n_summed;
    const char        *transport = c->key.transport == IPPROTO_TCP ? "TCP" : "UDP";

    audit_end_text(a, &c->key.client, client, sizeof(client));
    audit_end_text(a, &c->key.server, server, sizeof(server));
    clients_text(c, clients, sizeof(clients));
    server_ports_text(c, ports);
    if (c->key.summed == SUM_PORTS)
        return snprintf(sentence, SENTENCE_SIZE, "%s %s %llu further %s port%s of %s, %s, %s: %s. The first: ", client, sum_deed(c), n, transport, n == 1 ? "" : "s", server,
                        ports, beyond, sum_outcome(c));
    if (c->key.summed == SUM_CLIENTS)
        return snprintf(sentence, SENTENCE_SIZE, "%llu further client%s, %s, %s %s %u of %s, %s: %s. The first: ", n, n == 1 ? "" : "s", clients, sum_deed(c), transport,
                        c->key.server_port, server, beyond, sum_outcome(c));
    return snprintf(sentence, SENTENCE_SIZE, "Up to %llu further %s conversations from %s (%s) to %s on ports %s, %s: %s. The first: ", n, transport,
                    entry_text(a, c->judgement.client_host), clients, entry_text(a, c->judgement.server_host), ports, beyond, sum_outcome(c));
}

/* Media of which the client's port is the wrong one is told the other way round: the finding is of the port that packets went to. */
static bool is_turned(const struct conversation *c)
{
    return c->judgement.back && c->key.summed == SUM_NONE;
}

/* Was the first packet of the earliest flow, which is shown as evidence, sent by the end that the sentence calls the server? */
static bool answer_is_first(const struct conversation *c)
{
    return c->n_kept > 0 && c->kept->first_packet == c->first_packet && c->kept->earlier_side == !is_turned(c);
}

static void describe_conversation(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct conversation *c = f->conversation;
    struct policy_facts        facts = {
               .outcome = (enum outcome)c->key.outcome,
               .flows = c->flows,
               .packets = c->packets[0] + c->packets[1],
               .probe = c->probes == c->flows,
               .synless = c->synless,
               .untold = c->untold,
               .stopped_late = c->stopped_late,
               .asked_on = c->asked_on,
               .answers = c->answers == c->flows,
               .unfinished = c->unfinished == c->flows && c->payload == 0,
               .unheard = is_turned(c) ? HEARD : (enum unheard)c->unheard,
               .lossy = coverage_is_lossy(&a->coverage),
               .may_be_answer = c->may_be_answer,
               .answered = c->untold == c->flows && c->answered >= c->flows ? c->answered : 0,
               .unasked = c->untold == c->flows ? c->unasked : 0,
               .no_data = c->key.transport == IPPROTO_TCP && c->payload == 0,
               .answer_first = answer_is_first(c),
               .no_handshake = c->key.transport == IPPROTO_TCP && c->basis == DIRECTION_CONTENT,
               .lone_reset = c->lone_resets == c->flows,
               .refusal = c->refusals == c->flows,
               .strays = c->strays,
               .stray_flags = c->strays_differ ? 0xff : c->stray_flags,
               .undelivered = c->undelivered,
               .resent_syns = c->resent_syns,
               .withdrawn = c->withdrawn,
               .withdrawn_ns = c->withdrawn_ns,
               .n_cut = c->group ? 0 : audit_cut_to(a, c->packets[0] > 0 ? &c->key.client : &c->key.server),
               .errors_differ = c->errors_differ,
               .after_syn_ack = c->after_syn_ack,
               .client_ports = {c->client_port_low, c->client_port_high},
               .icmp = c->icmp,
               .icmp_input = c->icmp != NULL ? inputs_name(a->inputs, c->icmp->input) : NULL,
               .rst = ttl_seen_rst(c->ttl[1]),
               .own = c->own, .beside = c->beside,
    };

    struct policy_query        q;
    struct judgement           j = c->judgement;
    int                        len = 0;

    conversation_query(c, &q);
    if (is_turned(c)) {
        conversation_turned_query(c, &q);
        j.client_host = c->judgement.server_host;
        j.server_host = c->judgement.client_host;
        j.back = false;
    }
    if (c->key.summed != SUM_NONE) {
        len = describe_sum(a, c, sentence);
        facts = (struct policy_facts){
            .outcome = facts.outcome, .flows = 1, .packets = facts.packets, .probe = c->first_probes, .unfinished = facts.unfinished, .no_data = facts.no_data,
            .many_clients = c->key.summed != SUM_PORTS && c->n_summed > 1, .many_servers = c->key.summed == SUM_PEERS && c->n_summed > 1};
    }
    if (len >= 0 && len < SENTENCE_SIZE)
        policy_sentence(a->policy, &q, &j, &facts, sentence + len, SENTENCE_SIZE - (size_t)len);
    s->conversation_id = c->id;
    s->row_id = row_id(a, c->judgement.row);
    s->section = policy_section(a->policy, &c->judgement);
    s->transport = transport_name(c->key.transport);
    s->server_port = is_turned(c) ? c->key.client_port : c->key.server_port;
    s->has_port = c->key.summed == SUM_NONE || c->key.summed == SUM_CLIENTS;
    s->protocol = c->key.summed == SUM_NONE ? c->app->name : "";
    s->outcome = outcome_name((enum outcome)c->key.outcome);
    s->disposition = disposition_name(conversation_disposition(c));
    s->last_ns = c->last_ns;
    s->flows = c->flows;
    s->packets = facts.packets;
    s->bytes = c->bytes[0] + c->bytes[1];
}

/* With the packet that shows it: of what met the row the first, or of what was tried. */
static const char *expectation_text(const struct audit *a, const struct expectation *e, char buf[static SENTENCE_SIZE])
{
    if (e->goes_on.packet != 0)
        snprintf(buf, SENTENCE_SIZE, "%s %s: packet %llu of %s.", e->reason, e->ended ? "First seen of that" : "First packet of that connection", (unsigned long long)e->goes_on.packet, inputs_name(a->inputs, e->goes_on.input));
    else if (e->attempts == 0)
        return e->reason;
    else if (e->outcome == EXPECT_SEEN)
        snprintf(buf, SENTENCE_SIZE, "%s First: packet %llu of %s%s.", e->reason, (unsigned long long)e->seen_packet, inputs_name(a->inputs, e->seen_input),
                 e->seen_is_answer ? ", an answer (SYN, ACK) of which the SYN is not in the capture" : "");
    else
        snprintf(buf, SENTENCE_SIZE, "%s First %sattempt: packet %llu of %s.", e->reason, e->first_is_sign ? "sign of an " : "", (unsigned long long)e->first_packet,
                 inputs_name(a->inputs, e->first_input));
    return buf;
}

/* The policy knows packets by number; the input's name is the engine's to add, here and below. */
static void describe_expectation(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct expectation *e = f->expectation;

    s->row_id = row_id(a, e->row);
    s->section = policy_row(a->policy, e->row)->section;
    s->client_name = policy_host_name(a->policy, e->client_host);
    s->server_name = policy_host_name(a->policy, e->server_host);
    s->protocol = "";
    s->outcome = expectation_outcome_name(e->outcome);
    s->disposition = f->kind == FINDING_MISDROPPED ? disposition_name(DISPOSITION_MISDROPPED) : "";
    s->flows = e->attempts;
    if (f->kind == FINDING_MISDROPPED)
        s->reason = expectation_text(a, e, sentence);
    else
        s->reason = e->reason;
}

static void describe_separation(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct separation *e = f->separation;

    snprintf(sentence, SENTENCE_SIZE, "%s First evidence: %spacket %llu of %s.", e->sentence, e->packet_shows ? "" : "the flow that begins with ", (unsigned long long)e->packet,
             inputs_name(a->inputs, e->input));
    s->conversation_id = e->conversation;
    s->section = e->section;
    s->client_name = policy_host_name(a->policy, e->host[0]);
    s->server_name = policy_host_name(a->policy, e->host[1]);
    s->protocol = "";
    s->last_ns = e->last_ns;
    s->flows = e->flows;
    s->packets = e->packets;
    s->bytes = e->bytes;
}

/* A port that was negotiated and not used: there is no conversation to speak of. */
static void describe_promise(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct pinhole    *p = f->promise;
    const struct matrix_row *row = policy_row(a->policy, f->judgement.row);
    char                     parent[PARENT_SIZE], ports[128], kept[512] = "", at[256];

    if (f->kept != NULL)
        snprintf(kept, sizeof(kept), " The same answer also named %s %u of %s, to which a flow was seen.", f->kept->transport == IPPROTO_TCP ? "TCP" : "UDP", f->kept->port,
                 audit_end_text(a, &f->kept->addr, at, sizeof(at)));
    audit_parent_text(a, p, parent, sizeof(parent));
    snprintf(sentence, SENTENCE_SIZE, "A port outside the documented range was announced (%s), and no flow to it was seen.%s Row %s (%s, \"%s\") allows "
             "%s only. Look at the range of ports that %s is set to use.", parent, kept, row->id.text, row->service, row->section,
             policy_row_ports(a->policy, f->judgement.row, ports, sizeof(ports)), policy_host_name(a->policy, f->judgement.server_host));
    s->row_id = row->id.text;
    s->section = row->section;
    s->transport = transport_name(p->transport);
    s->server_port = p->port;
    s->has_port = true;
    s->last_ns = p->ts_ns;
}

/* An interface that tells of the server's role. */
static void describe_sign(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct pinhole *p = f->bind;
    struct tuple          t = {.client = p->requester, .server = p->announcer, .server_port = p->port, .transport = p->transport};
    char                  where[SENTENCE_SIZE];

    snprintf(where, sizeof(where), "packet %llu of %s", (unsigned long long)p->packet_number, inputs_name(a->inputs, p->input));
    policy_sign_sentence(a->policy, f->sign, &t, where, sentence, SENTENCE_SIZE);
    s->section = f->sign->section;
    s->transport = transport_name(p->transport);
    s->server_port = p->port;
    s->has_port = true;
    s->last_ns = p->ts_ns;
    s->client_name = policy_host_name(a->policy, policy_host(a->policy, &p->requester));
    s->server_name = policy_host_name(a->policy, policy_host(a->policy, &p->announcer));
}

int audit_tell_finding(struct audit *a, const struct finding *f, uint64_t id, tell_fn *fn, void *aux, struct err *reterr)
{
    struct end from, to;
    char                 sentence[SENTENCE_SIZE] = "", parent[PARENT_SIZE], client[ADDR_TEXT_SIZE], server[ADDR_TEXT_SIZE], servers[SENTENCE_SIZE];
    struct store_finding s = {
        .finding_id = id,
        .kind = finding_kind_name(f->kind),
        .severity = severity_name(f->severity),
        .section = f->section,
        .reason = f->sentence != NULL ? f->sentence : sentence,
        .first_ns = f->first_ns,
        .waived_by = f->exception != NULL ? f->exception->id.text : NULL,
    };

    if (f->conversation != NULL) {
        const struct conversation *c = f->conversation;

        describe_conversation(a, f, &s, sentence);
        describe_end(a, c, &c->key.client, c->judgement.client_host, is_turned(c) ? &to : &from);
        describe_end(a, c, &c->key.server, c->judgement.server_host, is_turned(c) ? &from : &to);
        s.client = from.addr;
        s.server = to.addr;
        s.client_name = from.name;
        s.server_name = to.name;
        if (c->parent != NULL) {
            audit_parent_text(a, c->parent, parent, sizeof(parent));
            s.parent = parent;
        }
    } else if (f->bind != NULL) {
        describe_sign(a, f, &s, sentence);
        s.client = addr_text(&f->bind->requester, client);
        s.server = addr_text(&f->bind->announcer, server);
    } else if (f->promise != NULL) {
        describe_promise(a, f, &s, sentence);
        s.client = addr_text(&f->promise->requester, client);
        s.server = addr_text(&f->promise->addr, server);
        s.client_name = policy_host_name(a->policy, f->judgement.client_host);
        s.server_name = policy_host_name(a->policy, f->judgement.server_host);
    } else if (f->expectation != NULL) {
        describe_expectation(a, f, &s, sentence);
        s.client = policy_host_address(a->policy, f->expectation->client_host);
        s.server = policy_host_address(a->policy, f->expectation->server_host);
        s.servers = policy_expectation_servers(a->policy, f->expectation, servers, sizeof(servers));
    } else if (f->separation != NULL) {
        describe_separation(a, f, &s, sentence);
        s.client = addr_text(&f->separation->addr[0], client);
        s.server = addr_text(&f->separation->addr[1], server);
    }
    return fn(aux, &s, reterr);
}

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
