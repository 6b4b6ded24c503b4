/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: each packet of a flow goes to our confirmers, then to libndpi with the matrix's protocols ("matrix"), then
 * to libndpi with all ("all"), until one settles the flow or the budget of packets is used up.
 *
 * Life-cycle: states come from a pool; libndpi's own state (688 bytes in version 4.2) is taken from another pool only
 * when a packet gets that far, and goes back as soon as it has spoken.
 *
 * Bounds: where a pool has no more to give, the object that was taken first is taken back; libndpi's from its flow, a flow's own from its
 * owner.
 *
 * Limits: CLASSIFY_MAX_... packets of a flow, CLASSIFY_MAX_BYTES of a packet to libndpi.  Names in a state are static
 * strings or live as long as the detectors.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"
#include "confirm.h"
#include "fifo.h"
#include "names.h"
#include "ndpi_shim.h"
#include "state_pool.h"
#include "synth.h"
#include "wire.h"

#define MAX_LIBRARY_NAMES 512 /* more than any version has */

/* Keep-alives (a byte of TCP, an empty line or a word of SIP) say nothing of the protocol: they do not use up the
 * budget, up to a bound of their own, and only our confirmers look at them. */
#define TINY             4
#define MAX_TINY_PACKETS 100

enum { MATRIX, ALL, N_DETECTORS };

/* libndpi's state of a flow, with whom it belongs to in front. */
struct loan {
    struct fifo_link link;
    struct classify_state *of;
    unsigned which;
    max_align_t flow[];
};

struct classify_state {
    struct fifo_link link; /* in the classifier's list, if it has an owner */
    void *owner;
    const char *name, *detail; /* once 'basis' is not APP_NONE */
    const char *detail_of;     /* in front of 'detail' with a dot, or NULL */
    struct loan *loan[N_DETECTORS]; /* libndpi's state, or NULL */
    bool spoke[N_DETECTORS];   /* said what it had to say */
    struct confirm_rtp rtp[2]; /* by sender: 0 is the first packet's */
    struct confirm_dialogue dialogue;
    struct addr first_src;
    uint16_t first_sport;
    uint8_t n_packets, n_tiny;
    uint8_t basis; /* enum app_basis */
    bool contradicts, settled, is_reply, is_answer;
    bool is_told; /* as a flow that lost a state, or got none */
    int8_t direction;
    uint32_t also;
    uint32_t expected_set;
    const char *const *expected; /* what 'expected_set' and 'named' were made of */
    uint64_t named; /* confirmers that run where their protocol is expected, as it is */
};

#define LISTS_BITS 5

/* What a list of expected protocols comes to: few lists, asked for by each flow. */
struct known_list {
    const char *const *list; /* NULL: this place is empty */
    uint32_t set;
    uint64_t named;
};

struct classifier {
    struct ndpi_detector *detector[N_DETECTORS]; /* NULL until one is needed */
    bool refused[N_DETECTORS];                   /* could not be made: not tried again */
    const char **library;                        /* the library's names for the matrix's */
    size_t n_library;
    struct classify_gate gate;
    struct state_pool states, loans;
    struct fifo states_owned, loans_given;
    struct classify_bounds bounds;
    uint32_t *satisfied;                       /* for each confirmer: our names that its own satisfies */
    uint64_t everywhere;                       /* confirmers that run whatever is expected */
    uint64_t first[2][UINT8_MAX + 1];          /* those for TCP, for UDP, that may answer to a payload that begins with this byte */
    struct known_list lists[1 << LISTS_BITS];  /* by address: a list that falls on the place of another takes it */
    struct classify_stats stats;
    uint8_t scratch[CLASSIFY_MAX_BYTES];
};

/* The library's names for the matrix's. */
static int library_names(const char *const *names, size_t n_names, const char **ret, size_t *ret_n, struct err *reterr)
{
    size_t n = 0;

    for (size_t i = 0; i < n_names; i++) {
        if (!classify_knows(names[i]))
            return err_set(reterr, -EINVAL, "no protocol is called '%s'", names[i]);
        const char *const self[] = {names[i], NULL};
        const char *const *spelled = names_of_library(names[i]);
        for (spelled = spelled != NULL ? spelled : self; *spelled != NULL; spelled++) {
            if (names_listed(ret, *spelled))
                continue;
            if (n + 1 >= MAX_LIBRARY_NAMES)
                return err_set(reterr, -E2BIG, "more than %d protocol names", MAX_LIBRARY_NAMES);
            ret[n++] = *spelled;
        }
    }
    *ret_n = n;
    return 0;
}

static void classifier_list_first(struct classifier *classifier, size_t i)
{
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        if (!confirmer_knows_first(&confirmers[i], (uint8_t)byte))
            continue;
        if ((confirmers[i].transports & CONFIRM_TCP) != 0)
            classifier->first[0][byte] |= UINT64_C(1) << i;
        if ((confirmers[i].transports & CONFIRM_UDP) != 0)
            classifier->first[1][byte] |= UINT64_C(1) << i;
    }
}

static int classifier_list_confirmers(struct classifier *classifier, struct err *reterr)
{
    classifier->satisfied = calloc(n_confirmers, sizeof(*classifier->satisfied));
    if (classifier->satisfied == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a classifier");
    for (size_t i = 0; i < n_confirmers; i++) {
        classifier->satisfied[i] = names_satisfied(confirmers[i].name);
        if (confirmers[i].fn == confirm_smb) /* behind a session header of NetBIOS, which it always is */
            classifier->satisfied[i] |= names_satisfied("NetBIOS");
        if (confirmers[i].strength != CONFIRM_NAMED)
            classifier->everywhere |= UINT64_C(1) << i;
        classifier_list_first(classifier, i);
    }
    return 0;
}

/* Where this set is expected: the confirmers that run only there. */
static uint64_t named_confirmers(uint32_t expected_set)
{
    uint64_t named = 0;

    for (size_t i = 0; i < n_confirmers; i++) {
        if (confirmers[i].strength == CONFIRM_NAMED && (names_satisfied(confirmers[i].protocol) & expected_set) != 0)
            named |= UINT64_C(1) << i;
    }
    return named;
}

static const struct known_list *classifier_know_list(struct classifier *classifier, const char *const *list)
{
    uint64_t hash = (uint64_t)(uintptr_t)list * UINT64_C(0x9e3779b97f4a7c15);
    struct known_list *known = &classifier->lists[hash >> (64 - LISTS_BITS)];

    if (known->list != list) {
        known->list = list;
        known->set = names_set(list);
        known->named = named_confirmers(known->set);
    }
    return known;
}

static int classifier_keep_names(struct classifier *classifier, const char *const *names, size_t n, struct err *reterr)
{
    classifier->library = calloc(n + 1, sizeof(*classifier->library));
    if (classifier->library == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a classifier");
    for (size_t i = 0; i < n; i++)
        classifier->library[i] = names[i];
    classifier->n_library = n;
    return 0;
}

static int classifier_make_detector(struct classifier *classifier, unsigned which, struct err *reterr)
{
    const struct classify_gate *gate = &classifier->gate;

    if (classifier->detector[which] != NULL)
        return 0;
    if (gate->enter != NULL)
        gate->enter(gate->aux);
    int rc = which == MATRIX ? ndpi_detector_new(classifier->library, classifier->n_library, &classifier->detector[which], reterr)
                             : ndpi_detector_new(NULL, 0, &classifier->detector[which], reterr);
    if (gate->leave != NULL)
        gate->leave(gate->aux);
    return rc;
}

int classifier_prepare(struct classifier *classifier, struct err *reterr)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < N_DETECTORS; i++)
        rc = classifier_make_detector(classifier, i, reterr);
    return rc;
}

void classifier_set_gate(struct classifier *classifier, const struct classify_gate *gate)
{
    classifier->gate = *gate;
}

int classifier_new(const char *const *names, size_t n_names, struct classifier **ret, struct err *reterr)
{
    const char *library[MAX_LIBRARY_NAMES] = {NULL};
    size_t n_library = 0;
    int rc = ndpi_shim_check(reterr);

    if (rc == 0)
        rc = library_names(names, n_names, library, &n_library, reterr);
    if (rc < 0)
        return rc;
    struct classifier *classifier = calloc(1, sizeof(*classifier));
    if (classifier == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a classifier");
    state_pool_init(&classifier->states, sizeof(struct classify_state));
    state_pool_init(&classifier->loans, sizeof(struct loan) + ndpi_shim_flow_size());
    rc = classifier_keep_names(classifier, library, n_library, reterr);
    if (rc == 0)
        rc = classifier_list_confirmers(classifier, reterr);
    if (rc < 0) {
        classifier_free(classifier);
        return rc;
    }
    *ret = classifier;
    return 0;
}

void classifier_free(struct classifier *classifier)
{
    if (classifier == NULL)
        return;
    for (unsigned i = 0; i < N_DETECTORS; i++)
        ndpi_detector_free(classifier->detector[i]);
    free(classifier->satisfied);
    free(classifier->library);
    state_pool_free(&classifier->states);
    state_pool_free(&classifier->loans);
    free(classifier);
}

void classifier_set_bounds(struct classifier *classifier, const struct classify_bounds *bounds)
{
    classifier->bounds = *bounds;
    classifier->states.limit = bounds->states;
    classifier->loans.limit = bounds->library;
}

static struct classify_state *state_of_link(struct fifo_link *link)
{
    return (struct classify_state *)(void *)((char *)link - offsetof(struct classify_state, link));
}

/* A flow counts once, whatever it loses. */
static void tell(struct classify_state *state, uint64_t *n_flows)
{
    *n_flows += !state->is_told;
    state->is_told = true;
}

struct classify_state *classify_begin(struct classifier *classifier)
{
    struct classify_state *state = state_pool_take(&classifier->states);

    if (state == NULL && classifier->states_owned.oldest != NULL) {
        tell(state_of_link(classifier->states_owned.oldest), &classifier->stats.n_given_up);
        classifier->bounds.give_up(classifier->bounds.aux, state_of_link(classifier->states_owned.oldest)->owner);
        state = state_pool_take(&classifier->states);
    }
    if (state == NULL)
        classifier->stats.n_no_memory++;
    return state;
}

void classify_set_owner(struct classifier *classifier, struct classify_state *state, void *owner)
{
    if (classifier->bounds.give_up == NULL)
        return;
    state->owner = owner;
    fifo_add(&classifier->states_owned, &state->link);
}

static void state_give_loan(struct classifier *classifier, struct classify_state *state, unsigned which)
{
    struct loan *loan = state->loan[which];

    ndpi_shim_flow_end(loan->flow);
    fifo_remove(&classifier->loans_given, &loan->link);
    state_pool_give(&classifier->loans, loan);
    state->loan[which] = NULL;
}

/* One of libndpi's states for this flow: a new one, or that which another flow has had for the longest. */
static bool state_take_loan(struct classifier *classifier, struct classify_state *state, unsigned which)
{
    if (state->loan[which] != NULL)
        return true;
    struct loan *loan = state_pool_take(&classifier->loans), *oldest = (struct loan *)(void *)classifier->loans_given.oldest;
    if (loan == NULL && oldest != NULL && oldest->of != state) {
        tell(oldest->of, &classifier->stats.n_given_up);
        oldest->of->spoke[oldest->which] = true;
        state_give_loan(classifier, oldest->of, oldest->which);
        loan = state_pool_take(&classifier->loans);
    }
    if (loan == NULL) {
        tell(state, &classifier->stats.n_no_memory);
        return false;
    }
    loan->of = state;
    loan->which = which;
    fifo_add(&classifier->loans_given, &loan->link);
    state->loan[which] = loan;
    return true;
}

void classify_end(struct classifier *classifier, struct classify_state *state)
{
    if (state == NULL)
        return;
    for (unsigned i = 0; i < N_DETECTORS; i++) {
        if (state->loan[i] != NULL)
            state_give_loan(classifier, state, i);
    }
    if (fifo_has(&classifier->states_owned, &state->link))
        fifo_remove(&classifier->states_owned, &state->link);
    state_pool_give(&classifier->states, state);
}

static inline bool state_is_first_sender(const struct classify_state *state, const struct packet *packet)
{
    if (state->n_packets + state->n_tiny == 1)
        return true;
    return packet->sport == state->first_sport && addr_compare(&packet->src, &state->first_src) == 0;
}

static void state_hint(struct classify_state *state, const char *name, const char *detail_of, const char *detail)
{
    state->is_answer = state->is_answer && strcmp(state->name, name) == 0;
    state->basis = APP_HINT;
    state->name = name;
    state->detail_of = detail_of;
    state->detail = detail;
}

/* 'satisfies': our names that this one satisfies. */
static void state_settle(struct classify_state *state, const char *name, const char *detail, uint32_t satisfies, bool contradicts)
{
    state_hint(state, name, NULL, detail);
    state->basis = APP_CONTENT;
    state->contradicts = contradicts;
    state->settled = true;
    state->also |= satisfies;
}

static bool state_expects(const struct classify_state *state, const char *name, uint32_t satisfies)
{
    return (satisfies & state->expected_set) != 0 || names_listed(state->expected, name);
}

/* TLS in the middle of a session may follow an upgrade that was not captured, or not understood: of a protocol that has one, or of any where none is
 * expected on the port. */
static bool state_may_be_upgraded(const struct classify_state *state, const struct classify_step *step)
{
    if (!step->midstream && state->n_packets <= 1)
        return false;
    if (state->expected == NULL || state->expected[0] == NULL)
        return true;
    for (const char *const *name = state->expected; name != NULL && *name != NULL; name++) {
        if (names_upgrades_to_tls(*name))
            return true;
    }
    return false;
}

static void state_learn_direction(struct classify_state *state, bool first_sender, enum confirm_answer answer)
{
    if (answer == CONFIRM_REQUEST)
        state->direction = first_sender ? 1 : -1;
    else if (answer == CONFIRM_RESPONSE || answer == CONFIRM_SERVER)
        state->direction = first_sender ? -1 : 1;
}

/* One confirmer's answer, which is not CONFIRM_NO. */
static void state_confirmed(struct classify_state *state, const struct confirmer *by, uint32_t satisfies, const char *detail,
                            bool first_sender, enum confirm_answer answer, const struct classify_step *step)
{
    bool names = by->fn == confirm_dns || by->fn == confirm_nbns || by->fn == confirm_mdns || by->fn == confirm_llmnr;
    bool answers = state->n_packets + state->n_tiny == 1 && answer == CONFIRM_RESPONSE;

    if (by->strength == CONFIRM_FAIR && !state_expects(state, by->name, satisfies)) {
        if (state->basis == APP_NONE) {
            state_hint(state, by->name, NULL, detail);
            state->is_answer = answers && by->fn == confirm_ntp;
        }
        return;
    }
    bool upgraded = by->fn == confirm_tls && state_may_be_upgraded(state, step);
    state_settle(state, by->name, detail, satisfies, by->strength == CONFIRM_STRONG && !upgraded);
    state_learn_direction(state, first_sender, answer);
    state->is_reply = names && answers;
    state->is_answer = answers && (names || by->fn == confirm_ntp || by->fn == confirm_ntp_whole || by->fn == confirm_sip);
}

/* Of a first fragment the UDP header says how long the whole message is. */
static size_t message_length(const struct packet *packet)
{
    size_t length = packet->payload_wire_len;

    if ((packet->flags & PACKET_FIRST_FRAGMENT) && packet->transport == IPPROTO_UDP) {
        size_t udp = wire_be16(packet->payload - 4);
        if (udp > 8 + length)
            length = udp - 8;
    }
    return length > packet->payload_len ? length : packet->payload_len;
}

static struct confirm_input state_input(const struct classify_state *state, const struct packet *packet, const struct classify_step *step)
{
    return (struct confirm_input){
        .data = packet->payload,
        .len = packet->payload_len,
        .wire_len = message_length(packet),
        .sport = packet->sport,
        .dport = packet->dport,
        .udp = packet->transport == IPPROTO_UDP,
        .first = state->n_packets + state->n_tiny == 1 && !step->midstream,
    };
}

/* Who asks may be known where the content is not. */
static void state_read_header(struct classify_state *state, const struct packet *packet, const struct classify_step *step)
{
    struct confirm_input input = state_input(state, packet, step);
    enum confirm_answer answer = confirm_header(&input);

    if (answer == CONFIRM_NO || state->direction != 0)
        return;
    state_learn_direction(state, state_is_first_sender(state, packet), answer);
    state->is_answer = answer == CONFIRM_RESPONSE && state->n_packets + state->n_tiny == 1 && state->basis == APP_HINT && strcmp(state->name, "DNS") == 0;
}

static void state_expect(struct classifier *classifier, struct classify_state *state, const char *const *list)
{
    const struct known_list none = {.list = NULL}, *known = list == NULL ? &none : classifier_know_list(classifier, list);

    state->expected = list;
    state->expected_set = known->set;
    state->named = known->named;
}

static void state_confirm(const struct classifier *classifier, struct classify_state *state,
                          const struct packet *packet, const struct classify_step *step)
{
    bool first_sender = state_is_first_sender(state, packet);
    struct confirm_input input = state_input(state, packet, step);

    if (input.udp && confirm_rtp(&state->rtp[!first_sender], input.data, input.len)) {
        state_settle(state, "RTP", "", names_satisfied("RTP"), true);
        return;
    }
    const char *tunnel, *kind;
    enum confirm_answer said = confirm_dialogue(&state->dialogue, &input, first_sender, &tunnel, &kind);
    if (said != CONFIRM_NO) {
        state_settle(state, tunnel, kind, names_satisfied(tunnel), true);
        state_learn_direction(state, first_sender, said);
        return;
    }
    if (confirm_dialogue_waits(&state->dialogue) && first_sender == state->dialogue.by_first) {
        state_hint(state, "HTTP", NULL, "");
        state_learn_direction(state, first_sender, CONFIRM_REQUEST);
        return;
    }
    uint64_t left = classifier->first[input.udp][input.data[0]] & (classifier->everywhere | state->named);
    for (; left != 0 && !state->settled; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        const struct confirmer *by = &confirmers[i];
        const char *detail = "";
        enum confirm_answer answer = by->fn(&input, &detail);
        if (answer != CONFIRM_NO)
            state_confirmed(state, by, classifier->satisfied[i], detail, first_sender, answer, step);
    }
}

/* Which of the two names the library found is the protocol: the inner one where it is a protocol of its own ("SIP.HTTP"
 * of version 4.2 is HTTP on SIP's port), the outer one where the inner is a site or a product ("TLS.Microsoft365"). */
static const char *opinion_name(const struct ndpi_opinion *opinion, bool udp, const char **ret_detail_of)
{
    const char *inner = opinion->app, *outer = opinion->master;

    *ret_detail_of = NULL;
    if (outer[0] == '\0' || inner[0] == '\0' || strcmp(outer, inner) == 0)
        return names_canonical(inner[0] != '\0' ? inner : outer);
    bool mailslot = udp && strcmp(outer, "NetBIOS") == 0;
    if (!mailslot && names_contract_index(names_canonical(inner)) >= 0)
        return names_canonical(inner);
    *ret_detail_of = outer;
    return names_canonical(outer);
}

/* Only what a host name decides is fit for the detail: other refinements depend on what the library remembers of
 * other flows, and so on which worker saw them. */
static bool opinion_detail_is_own(const char *outer)
{
    static const char *const by_host[] = {"TLS", "HTTP", "DNS", "QUIC", NULL};

    return names_listed(by_host, outer);
}

/* One datagram whose first byte is 0x80 is RTP for the library, which has no port below 1024 (RFC 3551, 8). */
static bool is_hint(const char *name, const struct packet *packet)
{
    bool privileged = packet->sport < 1024 || packet->dport < 1024;

    return !names_misleading(name) && !(privileged && strcmp(name, "RTP") == 0);
}

static void state_opinion(struct classify_state *state, unsigned which, const struct ndpi_opinion *opinion,
                          const struct packet *packet, const struct classify_step *step)
{
    bool udp = packet->transport == IPPROTO_UDP;
    const char *detail_of, *name = opinion_name(opinion, udp, &detail_of);
    const char *detail = detail_of == NULL && strcmp(name, opinion->app) != 0 ? opinion->app : "";

    if (detail_of != NULL && opinion_detail_is_own(detail_of))
        detail = opinion->app;
    else
        detail_of = NULL;
    uint32_t satisfies = names_satisfied(name);
    if (names_reliable(name, udp))
        state_settle(state, name, detail, satisfies, strcmp(name, "TLS") != 0 || !state_may_be_upgraded(state, step));
    else if (which == MATRIX && state_expects(state, name, satisfies))
        state_settle(state, name, detail, satisfies, false);
    else if ((which == ALL || state->basis == APP_NONE) && is_hint(name, packet))
        state_hint(state, name, detail_of, detail);
    if (state->settled)
        state->detail_of = detail_of;
}

static bool classifier_has_detector(struct classifier *classifier, unsigned which)
{
    if (classifier->detector[which] == NULL && !classifier->refused[which])
        classifier->refused[which] = classifier_make_detector(classifier, which, NULL) != 0;
    return classifier->detector[which] != NULL;
}

static void state_ask_library(struct classifier *classifier, struct classify_state *state, const struct packet *packet,
                              const struct classify_step *step)
{
    size_t len;
    const uint8_t *ip = synth_packet(packet, classifier->scratch, &len);

    for (unsigned i = 0; i < N_DETECTORS && !state->settled; i++) {
        struct ndpi_opinion opinion;
        if (state->spoke[i])
            continue;
        if (!classifier_has_detector(classifier, i) || !state_take_loan(classifier, state, i))
            return;
        if (i == ALL)
            classifier->stats.n_second_opinions++;
        else
            classifier->stats.n_ndpi_packets++;
        if (!ndpi_detector_packet(classifier->detector[i], state->loan[i]->flow, ip, len, packet->ts_ns, &opinion))
            continue;
        state->spoke[i] = true;
        state_opinion(state, i, &opinion, packet, step);
        state_give_loan(classifier, state, i);
    }
}

enum classify_progress classify_packet(struct classifier *classifier, struct classify_state *state,
                                       const struct packet *packet, const struct classify_step *step)
{
    unsigned budget = packet->transport == IPPROTO_UDP ? CLASSIFY_MAX_UDP_PACKETS : CLASSIFY_MAX_TCP_PACKETS;

    if (state->settled || state->n_packets >= budget)
        return CLASSIFY_FINAL;
    if (packet->payload_len == 0)
        return CLASSIFY_MORE;
    if (state->n_packets + state->n_tiny == 0) {
        state->first_src = packet->src;
        state->first_sport = packet->sport;
    }
    bool tiny = packet->payload_wire_len <= TINY && state->n_tiny < MAX_TINY_PACKETS;
    if (tiny)
        state->n_tiny++;
    else
        state->n_packets++;
    classifier->stats.n_packets++;
    if (step->expected != state->expected)
        state_expect(classifier, state, step->expected);
    state_confirm(classifier, state, packet, step);
    if (!state->settled && !tiny && !confirm_dialogue_waits(&state->dialogue))
        state_ask_library(classifier, state, packet, step);
    if (!state->settled)
        state_read_header(state, packet, step);
    return state->settled || state->n_packets >= budget ? CLASSIFY_FINAL : CLASSIFY_MORE;
}

/* Appends as much as fits, and a NUL. */
static size_t name_append(char ret[static APP_NAME_SIZE], size_t at, const char *text)
{
    size_t len = strnlen(text, APP_NAME_SIZE - 1 - at);

    memcpy(ret + at, text, len);
    ret[at + len] = '\0';
    return at + len;
}

void classify_outcome(const struct classify_state *state, struct classify_outcome *ret)
{
    *ret = (struct classify_outcome){
        .name = state->name, .detail_of = state->detail_of, .detail = state->detail, .also = state->also, .basis = state->basis, .contradicts = state->contradicts,
    };
}

void classify_result(const struct classify_state *state, struct app *ret)
{
    size_t at = 0;

    *ret = (struct app){.basis = (enum app_basis)state->basis, .also = state->also, .contradicts = state->contradicts};
    if (state->basis == APP_NONE)
        return;
    name_append(ret->name, 0, state->name);
    if (state->detail_of != NULL) {
        at = name_append(ret->detail, at, state->detail_of);
        at = name_append(ret->detail, at, ".");
    }
    name_append(ret->detail, at, state->detail);
}

int classify_direction(const struct classify_state *state)
{
    return state->direction;
}

bool classify_is_reply(const struct classify_state *state)
{
    return state->is_reply;
}

bool classify_is_answer(const struct classify_state *state)
{
    return state->is_answer;
}

#define NAMES_HEADER 12 /* bytes */

bool classify_has_talk(uint16_t sport, uint16_t dport)
{
    return sport == CLASSIFY_PORT_NAMES || dport == CLASSIFY_PORT_NAMES || (sport == dport && is_sip_port(sport));
}

#define NAMES_RECORD  46 /* behind the header and a name of 34 bytes: the type */
#define NAMES_ADDRESS 58 /* the first, behind class, time, length and flags; each takes six bytes with its flags */

/* Whoever has a name answers for itself, to a broadcast too, and may set the bit of name servers. */
static bool answers_for_another(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    size_t         at = NAMES_ADDRESS;

    if (packet->payload_len < at + 4 || packet->payload_len < packet->payload_wire_len || p[12] != 32 || wire_be16(p + NAMES_RECORD) != 0x20)
        return false;
    for (; at + 4 <= packet->payload_len; at += 6)
        if (memcmp(p + at, packet->src.bytes + 12, 4) == 0)
            return false;
    return true;
}

/* An answer about a name that was no broadcast's: of a name server, by a flag and what it tells, or that it knows none; or the status of a host. */
static bool answers_one(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    bool           query = (p[2] & 0x78) == 0, status = packet->payload_len >= NAMES_RECORD + 2 && p[12] == 32 && wire_be16(p + NAMES_RECORD) == 0x21;

    return query && (((p[3] & 0x80) != 0 && ((p[3] & 15) != 0 || answers_for_another(packet))) || status);
}

enum classify_talk classify_talk(const struct packet *packet)
{
    bool                 names = packet->sport == CLASSIFY_PORT_NAMES || packet->dport == CLASSIFY_PORT_NAMES;
    const char          *detail = "";
    struct confirm_input input = {
        .data = packet->payload, .len = packet->payload_len, .wire_len = message_length(packet), .sport = packet->sport, .dport = packet->dport, .udp = true,
    };
    enum confirm_answer answer = names ? confirm_nbns(&input, &detail) : confirm_sip(&input, &detail);

    if (names && answer == CONFIRM_NO && input.len >= NAMES_HEADER && input.len < input.wire_len) /* cut behind its header, which tells enough */
        answer = (input.data[2] & 0x80) != 0 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
    if (answer == CONFIRM_REQUEST)
        return CLASSIFY_ASKS;
    if (answer != CONFIRM_RESPONSE)
        return CLASSIFY_NOTHING;
    return names && !answers_one(packet) ? CLASSIFY_MAY_ANSWER_ALL : CLASSIFY_ANSWERS;
}

void classify_set_allocator(void *(*allocate)(size_t), void (*release)(void *))
{
    ndpi_shim_set_allocator(allocate, release);
}

void classify_stats(const struct classifier *classifier, struct classify_stats *ret)
{
    *ret = classifier->stats;
    ret->n_states = classifier->states.n_taken;
    ret->n_states_peak = classifier->states.n_peak;
}
