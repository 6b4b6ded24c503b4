/* SPDX-License-Identifier: Apache-2.0 */
/* From merged conversations to expectations and findings, in the order of reports. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

static struct finding *add_finding(struct audit *a)
{
    if (a->n_findings == a->n_findings_allocated) {
        size_t          n = a->n_findings_allocated == 0 ? 64 : 2 * a->n_findings_allocated;
        struct finding *findings = realloc(a->findings, n * sizeof(*findings));

        if (findings == NULL)
            return NULL;
        a->findings = findings;
        a->n_findings_allocated = n;
    }
    struct finding *f = &a->findings[a->n_findings++];
    *f = (struct finding){0};
    return f;
}

/* The exception of the site that covers all of it. */
static const struct site_exception *exception_of(const struct audit *a, const struct conversation *c)
{
    struct policy_query q;
    struct policy_sum   sum = {
          .tuple = c->tuple,
          .client_known = c->key.summed == SUM_PORTS,
          .server_known = c->key.summed == SUM_PORTS || c->key.summed == SUM_CLIENTS,
          .port_known = c->key.summed == SUM_CLIENTS,
          .client_host = c->key.summed == SUM_PEERS ? c->judgement.client_host : POLICY_NONE,
          .server_host = c->key.summed == SUM_PEERS ? c->judgement.server_host : POLICY_NONE,
    };

    if (a->site->n_exceptions == 0)
        return NULL;
    if (c->key.summed != SUM_NONE)
        return policy_exception_of_sum(a->policy, &sum, c->last_ns);
    conversation_query(c, &q);
    const struct site_exception *e = policy_exception(a->policy, &q, c->last_ns);
    if (e != NULL || !c->judgement.back)
        return e;
    conversation_turned_query(c, &q); /* as the finding is told */
    return policy_exception(a->policy, &q, c->last_ns);
}

static int conversation_finding(struct audit *a, struct conversation *c)
{
    const struct judgement *j = &c->judgement;

    if (j->ignored || j->kind == FINDING_NONE)
        return 0;
    struct finding *f = add_finding(a);
    if (f == NULL)
        return -ENOMEM;
    f->kind = j->kind;
    f->severity = policy_severity(j, (enum outcome)c->key.outcome);
    /* Of a session with one side missing from the capture nobody knows whether it got through: as grave as one that did not. */
    if ((c->one_sided && c->key.transport == IPPROTO_TCP) || conversation_disposition(c) == DISPOSITION_NONE)
        f->severity = policy_severity(j, OUTCOME_UNANSWERED);
    f->conversation = c;
    f->first_ns = c->first_ns;
    f->exception = exception_of(a, c);
    if (f->exception != NULL)
        a->exception_uses[f->exception - a->site->exceptions]++;
    return 0;
}

static int expectation_finding(struct audit *a, const struct expectation *e)
{
    bool missing = e->outcome == EXPECT_NEVER_ATTEMPTED;
    bool failed = e->outcome == EXPECT_REFUSED || e->outcome == EXPECT_PROHIBITED || e->outcome == EXPECT_UNANSWERED;

    if (!missing && !failed)
        return 0;
    struct finding *f = add_finding(a);
    if (f == NULL)
        return -ENOMEM;
    f->kind = missing ? FINDING_MISSING : FINDING_MISDROPPED;
    f->severity = missing ? (e->weak ? SEVERITY_LOW : SEVERITY_MEDIUM) : e->weak ? SEVERITY_MEDIUM : SEVERITY_HIGH;
    f->expectation = e;
    f->first_ns = e->first_ns;
    return 0;
}

static int separation_finding(struct audit *a, const struct separation *s)
{
    struct finding *f = add_finding(a);

    if (f == NULL)
        return -ENOMEM;
    f->kind = FINDING_SEPARATED;
    f->severity = s->severity;
    f->separation = s;
    f->first_ns = s->first_ns;
    return 0;
}

struct lint_aux {
    struct audit *audit;
    int           rc;
};

/* "from a (10.0.1.1) to b (10.0.2.1) on TCP 25 (packet 7 of x.pcap)"; where nobody knows who began, both ports. */
static void add_first(const struct audit *a, const struct conversation *c, char *buf, size_t size)
{
    const char *transport = c->tuple.transport == IPPROTO_TCP ? "TCP" : "UDP";
    char        client[256], server[256];
    size_t      len = strlen(buf);

    audit_end_text(a, &c->tuple.client, client, sizeof(client));
    audit_end_text(a, &c->tuple.server, server, sizeof(server));
    if (c->direction_known)
        snprintf(buf + len, size - len, "from %s to %s on %s %u", client, server, transport, c->tuple.server_port);
    else
        snprintf(buf + len, size - len, "between %s %u of %s and %s %u of %s", transport, c->tuple.client_port, client, transport, c->tuple.server_port, server);
    len = strlen(buf);
    snprintf(buf + len, size - len, " (packet %llu of %s)", (unsigned long long)c->first_packet, inputs_name(a->inputs, c->first_input));
}

/* Whether it matters that a table of ports is lost: which flows were neither allowed nor violations for that. */
static void add_undocumented(const struct audit *a, uint32_t parameter, char *buf, size_t size)
{
    const struct conversation *first[2] = {NULL, NULL}; /* by whether it is known who began */
    uint64_t                   n[2] = {0, 0};

    for (size_t i = 0; i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];

        if (c->judgement.verdict != VERDICT_UNDOCUMENTED || c->judgement.parameter != parameter)
            continue;
        if (first[c->direction_known] == NULL)
            first[c->direction_known] = c;
        n[c->direction_known] += c->flows;
    }
    size_t len = strlen(buf);
    if (first[1] == NULL) {
        snprintf(buf + len, size - len, SITE_SEEN_HERE "no such flow");
    } else {
        snprintf(buf + len, size - len, SITE_SEEN_HERE "%llu such flow%s, the first ", (unsigned long long)n[1], n[1] == 1 ? "" : "s");
        add_first(a, first[1], buf, size);
    }
    len = strlen(buf);
    if (first[0] != NULL) {
        snprintf(buf + len, size - len, "%s %llu that may be one, for who began is not in the capture, the first ", first[1] == NULL ? ", but" : "; and", (unsigned long long)n[0]);
        add_first(a, first[0], buf, size);
        len = strlen(buf);
    }
    snprintf(buf + len, size - len, ".");
}

static void site_finding(void *aux, enum severity severity, const char *section, const char *given, uint32_t parameter)
{
    struct lint_aux *lint = aux;
    char             sentence[1536];

    snprintf(sentence, sizeof(sentence), "%s", given);
    if (parameter != POLICY_NONE && policy_is_lost(lint->audit->policy, parameter))
        add_undocumented(lint->audit, parameter, sentence, sizeof(sentence));
    struct finding  *f = add_finding(lint->audit);

    if (f == NULL) {
        lint->rc = -ENOMEM;
        return;
    }
    f->kind = FINDING_SITE;
    f->severity = severity;
    f->section = strdup(section);
    f->sentence = strdup(sentence);
    if (f->section == NULL || f->sentence == NULL)
        lint->rc = -ENOMEM;
}

/* An exception that covered nothing is a hole left open for nobody. */
static void unused_exceptions(struct lint_aux *lint)
{
    const struct audit *a = lint->audit;

    for (size_t i = 0; i < a->site->n_exceptions; i++) {
        const struct site_exception *e = &a->site->exceptions[i];
        char                         sentence[512];

        if (a->exception_uses[i] > 0 || e->until_ns < a->coverage.last_ns)
            continue;
        snprintf(sentence, sizeof(sentence),
                 "Exception %s (%s to %s, owner %s, until %s) covered no finding of this run; withdraw it if it is no longer needed.",
                 e->id.text, e->client.text, e->server.text, e->owner, e->until_text);
        site_finding(lint, SEVERITY_NOTICE, "", sentence, POLICY_NONE);
    }
}

static int promise_finding(struct audit *a, const struct pinhole *p, const struct pinhole *kept, const struct judgement *j)
{
    struct finding *f = add_finding(a);

    if (f == NULL)
        return -ENOMEM;
    f->kind = j->kind;
    f->severity = policy_severity(j, OUTCOME_UNANSWERED);
    f->promise = p;
    f->kept = kept;
    f->judgement = *j;
    f->first_ns = p->ts_ns;
    return 0;
}

static int sign_finding(struct audit *a, const struct pinhole *p, const struct matrix_sign *sign)
{
    struct finding *f = add_finding(a);

    if (f == NULL)
        return -ENOMEM;
    f->kind = FINDING_SITE;
    f->severity = SEVERITY_MEDIUM;
    f->bind = p;
    f->sign = sign;
    f->first_ns = p->ts_ns;
    return 0;
}

static int by_rank(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;

    if (a->severity != b->severity)
        return a->severity < b->severity ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->conversation != NULL && b->conversation != NULL)
        return a->conversation->id < b->conversation->id ? -1 : 1;
    if (a->bind != NULL && b->bind != NULL)
        return a->bind < b->bind ? -1 : a->bind > b->bind;
    if ((a->bind != NULL) != (b->bind != NULL))
        return a->bind != NULL ? -1 : 1;
    if (a->promise != NULL && b->promise != NULL)
        return a->promise < b->promise ? -1 : a->promise > b->promise;
    if ((a->conversation != NULL) != (b->conversation != NULL))
        return a->conversation != NULL ? -1 : 1;
    /* Expectations stand in one array in the order of the document. */
    if (a->expectation != NULL && b->expectation != NULL)
        return a->expectation < b->expectation ? -1 : a->expectation > b->expectation;
    if (a->separation != NULL && b->separation != NULL)
        return a->separation < b->separation ? -1 : a->separation > b->separation;
    return strcmp(a->sentence != NULL ? a->sentence : "", b->sentence != NULL ? b->sentence : "");
}

static int evaluate_separations(struct audit *a, struct err *reterr)
{
    int rc = separator_new(a->policy, &a->separator, reterr);

    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];
        struct separate_fact       fact = {
                  .tuple = c->tuple,
                  .outcome = (enum outcome)c->key.outcome,
                  .allowed = c->key.verdict == VERDICT_ALLOWED,
                  .first_ns = c->first_ns,
                  .last_ns = c->last_ns,
                  .flows = c->flows,
                  .undelivered = c->key.outcome == OUTCOME_UNANSWERED ? c->undelivered : 0,
                  .packets = {c->packets[0], c->packets[1]},
                  .bytes = c->bytes[0] + c->bytes[1],
                  .icmp = *conversation_icmp(c),
                  .errors_differ = c->errors_differ,
                  .ttl = {ttl_seen_beside_rst(c->ttl[0]), c->own.min != 0 ? c->own : ttl_seen_own(c->ttl[1])},
                  .rst = {ttl_seen_rst(c->ttl[0]), c->key.outcome == OUTCOME_REFUSED ? (struct ttl_range){0} : ttl_seen_rst(c->ttl[1])},
                  .beside = c->beside,
                  .resets = c->reset.flows,
                  .reset_packet = c->reset.first.packet,
                  .reset_input = c->reset.first.input,
                  .reset_ns = c->reset.first.ns,
                  .conversation = c->id,
                  .first_packet = c->first_packet,
                  .input = c->first_input,
        };

        memcpy(fact.places, c->ttl, sizeof(fact.places));
        if (c->key.summed == SUM_NONE && !c->group && !c->judgement.ignored && separator_conversation(a->separator, &fact) != 0)
            rc = err_set(reterr, -ENOMEM, "no memory for evidence of separation");
    }
    if (rc == 0)
        rc = separator_finish(a->separator, &a->coverage, &a->separations, &a->n_separations, reterr);
    return rc;
}

static void count_findings(struct audit *a)
{
    struct engine_result *r = a->result;

    for (size_t i = 0; i < a->n_findings; i++) {
        const struct finding *f = &a->findings[i];

        if (f->exception != NULL)
            r->n_waived++;
        else if (f->severity == SEVERITY_NOTICE)
            r->n_notices[f->kind]++;
        else
            r->n_findings[f->kind]++;
    }
}

int audit_conclude(struct audit *a, struct err *reterr)
{
    struct lint_aux lint = {a, 0};

    audit_settle_unanswered(a);
    int rc = audit_expect(a, reterr);

    if (rc == 0)
        rc = evaluate_separations(a, reterr);
    if (rc != 0)
        return rc;
    a->exception_uses = calloc(a->site->n_exceptions + 1, sizeof(*a->exception_uses));
    if (a->exception_uses == NULL)
        rc = -ENOMEM;
    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++)
        rc = conversation_finding(a, a->conversations[i]);
    for (size_t i = 0; rc == 0 && i < a->n_concluded; i++)
        rc = expectation_finding(a, &a->concluded[i]);
    for (size_t i = 0; rc == 0 && i < a->n_separations; i++)
        rc = separation_finding(a, &a->separations[i]);
    if (rc == 0)
        rc = audit_unused_promises(a, promise_finding, reterr);
    if (rc == 0)
        rc = audit_signs(a, sign_finding);
    if (rc == 0) {
        policy_lint(a->policy, a->coverage.last_ns, site_finding, &lint);
        if (!a->goes_on)
            unused_exceptions(&lint);
        rc = lint.rc;
    }
    if (rc != 0)
        return err_set(reterr, rc, "no memory for the findings");
    if (a->n_findings > 1)
        qsort(a->findings, a->n_findings, sizeof(*a->findings), by_rank);
    count_findings(a);
    return 0;
}

void audit_free_findings(struct audit *a)
{
    for (size_t i = 0; i < a->n_findings; i++) {
        free(a->findings[i].section);
        free(a->findings[i].sentence);
    }
    free(a->findings);
    free(a->exception_uses);
    audit_free_expectations(a);
    separator_free(a->separator);
}
