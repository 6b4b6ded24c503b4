/* SPDX-License-Identifier: Apache-2.0 */
/* Findings and expectations in the record's words. */
#include <stdio.h>
#include <string.h>

#include "record-private.h"

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

/* Datagrams that go on when the capture begins, and nothing before told of them: either end may have sent the first. */
static bool goes_on(const struct audit *a, const struct conversation *c)
{
    bool announced = c->parent != NULL && c->parent->ts_ns <= c->first_ns;

    return c->key.transport == IPPROTO_UDP && !announced && c->first_ns < ns_after(a->totals.first_ns, BEGINNING_NS);
}

static void describe_conversation(const struct audit *a, const struct finding *f, struct store_finding *s, char *sentence)
{
    const struct conversation *c = f->conversation;
    bool                       is_faint = c->untold == c->flows && conversation_heard_of(c) >= c->flows;
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
               .answered = is_faint ? c->answered : 0,
               .unasked = c->untold == c->flows ? c->unasked : 0,
               .unclear = is_faint ? c->unclear : 0,
               .damaged = c->damaged == c->flows,
               .no_data = c->key.transport == IPPROTO_TCP && c->payload == 0,
               .answer_first = answer_is_first(c),
               .goes_on = goes_on(a, c),
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

const char *expectation_text(const struct audit *a, const struct expectation *e, char buf[static SENTENCE_SIZE])
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
    s->packets = e->packets;
    s->bytes = e->bytes;
    s->last_ns = e->last_ns;
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
    char                     parent[PARENT_SIZE], ports[128], kept[512] = "", unheard[400] = "", at[256];

    if (f->kept != NULL)
        snprintf(kept, sizeof(kept), " The same answer also named %s %u of %s, to which a flow was seen.", f->kept->transport == IPPROTO_TCP ? "TCP" : "UDP", f->kept->port,
                 audit_end_text(a, &f->kept->addr, at, sizeof(at)));
    if (!audit_is_heard(a, &p->addr))
        snprintf(unheard, sizeof(unheard), "; no TCP or UDP packet to %s is in the capture, so whether it was used cannot be told", audit_end_text(a, &p->addr, at, sizeof(at)));
    audit_parent_text(a, p, parent, sizeof(parent));
    snprintf(sentence, SENTENCE_SIZE, "A port outside the documented range was announced (%s), and no flow to it was seen%s.%s Row %s (%s, \"%s\") allows "
             "%s only. Look at the range of ports that %s is set to use.", parent, unheard, kept, row->id.text, row->service, row->section,
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
