/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of the run in Prometheus' text exposition format 0.0.4. */
#include <inttypes.h>
#include <string.h>

#include "hook.h"
#include "private.h"
#include "words.h"

enum type { COUNTER, GAUGE };

static void put_head(struct out *out, const char *name, enum type type, const char *help)
{
    out_format(out, "# HELP flowaudit_%s %s\n# TYPE flowaudit_%s %s\n", name, help, name, type == COUNTER ? "counter" : "gauge");
}

static void put_value(struct out *out, const char *name, enum type type, const char *help, uint64_t value)
{
    put_head(out, name, type, help);
    out_format(out, "flowaudit_%s %" PRIu64 "\n", name, value);
}

/* flowaudit_NAME{LABEL="VALUE" up to the second label or the end. */
static void put_labelled(struct out *out, const char *name, const char *label, const char *text)
{
    out_format(out, "flowaudit_%s{%s=", name, label);
    out_label(out, text);
}

static void put_more(struct out *out, const char *label, const char *text)
{
    out_format(out, ",%s=", label);
    out_label(out, text);
}

static void put_end_of_series(struct out *out, uint64_t value)
{
    out_format(out, "} %" PRIu64 "\n", value);
}

static void put_seconds(struct out *out, const char *name, const char *help, double seconds)
{
    put_head(out, name, GAUGE, help);
    out_format(out, "flowaudit_%s %.3f\n", name, seconds);
}

static void put_about(struct out *out, const struct notify_about *about)
{
    put_head(out, "build_info", GAUGE, "The program and the document that it audits against; always 1.");
    put_labelled(out, "build_info", "version", about->version);
    put_more(out, "matrix", about->ruleset);
    put_end_of_series(out, 1);
}

static void put_packets(struct out *out, const struct notify_vitals *v)
{
    put_value(out, "packets_total", COUNTER, "Packets that were looked at.", v->packets);
    put_value(out, "bytes_total", COUNTER, "Bytes of the packets that were looked at, as they were on the wire.", v->bytes);
    put_value(out, "packets_decoded_total", COUNTER, "Packets that were decoded.", v->decoded);
    put_value(out, "packets_unread_total", COUNTER, "Packets that the kernel had received and the run left unread.", v->unread);
    put_head(out, "packets_discarded_total", COUNTER, "Packets that were looked at and not judged, by reason.");
    for (size_t i = 0; i < v->n_discards; i++) {
        put_labelled(out, "packets_discarded_total", "reason", v->discards[i].name);
        put_end_of_series(out, v->discards[i].packets);
    }
}

static void put_interfaces(struct out *out, const struct notify_vitals *v)
{
    put_head(out, "interface_up", GAUGE, "Whether the interface is up.");
    for (size_t i = 0; i < v->n_interfaces; i++) {
        put_labelled(out, "interface_up", "interface", v->interfaces[i].name);
        put_end_of_series(out, v->interfaces[i].up);
    }
    put_head(out, "packets_received_total", COUNTER, "Packets that the kernel saw on the interface, dropped ones included.");
    for (size_t i = 0; i < v->n_interfaces; i++) {
        put_labelled(out, "packets_received_total", "interface", v->interfaces[i].name);
        put_end_of_series(out, v->interfaces[i].received);
    }
    put_head(out, "packets_dropped_total", COUNTER,
             "Packets that were lost before they could be looked at: kernel-buffer (this program was too slow), interface.");
    for (size_t i = 0; i < v->n_interfaces; i++) {
        const struct notify_interface *f = &v->interfaces[i];
        put_labelled(out, "packets_dropped_total", "interface", f->name);
        put_more(out, "reason", "kernel-buffer");
        put_end_of_series(out, f->dropped);
        put_labelled(out, "packets_dropped_total", "interface", f->name);
        put_more(out, "reason", "interface");
        put_end_of_series(out, f->interface_dropped);
    }
}

static void put_tables(struct out *out, const struct notify_vitals *v)
{
    put_value(out, "flows_total", COUNTER, "Flows that were tracked.", v->flows);
    put_value(out, "flows_evicted_total", COUNTER, "Flows that were given up before their end for want of memory.", v->flows_evicted);
    put_value(out, "flows_active", GAUGE, "Flows that are tracked now.", v->flows_now);
    put_value(out, "conversations", GAUGE, "Conversations of the run.", v->conversations);
    put_value(out, "tables_bytes", GAUGE, "Memory in tables.", v->memory);
    put_value(out, "database_bytes", GAUGE, "Size of the record.", v->database_bytes);
    put_value(out, "database_wal_bytes", GAUGE, "Size of the record's write-ahead log.", v->wal_bytes);
    put_seconds(out, "recorder_lag_seconds", "Time between the latest packet judged and the latest commit.", v->recorder_lag);
    put_seconds(out, "last_packet_timestamp_seconds", "Time of the latest packet, 0 before the first.", (double)v->packet_ns / 1e9);
    put_seconds(out, "start_time_seconds", "When the run began.", (double)v->started_ns / 1e9);
    put_value(out, "reloads_total", COUNTER, "Times that the site and matrix files were read again.", v->reloads);
    put_value(out, "reload_errors_total", COUNTER, "Times that they could not be used, and the old ones stayed in force.", v->reload_errors);
}

static void put_findings(struct out *out, const struct notify_vitals *v)
{
    put_head(out, "findings_total", COUNTER, "Findings of the run that are not waived.");
    for (int k = FINDING_NONE + 1; k < FINDING_N_KINDS; k++)
        for (int s = SEVERITY_CRITICAL; s <= SEVERITY_NOTICE; s++) {
            put_labelled(out, "findings_total", "kind", finding_kind_name((enum finding_kind)k));
            put_more(out, "severity", severity_name((enum severity)s));
            put_end_of_series(out, v->findings[k][s]);
        }
    put_value(out, "findings_waived_total", COUNTER, "Findings that an exception of the site waives.", v->waived);
    put_head(out, "expectations", GAUGE, "Flows that the document requires, by what became of them in the last window.");
    for (int e = EXPECT_SEEN; e <= EXPECT_NOT_COVERED; e++) {
        put_labelled(out, "expectations", "outcome", expectation_outcome_name((enum expectation_outcome)e));
        put_end_of_series(out, v->expectations[e]);
    }
}

/* --- the notifier itself: places of one name are added up ------------------------------------------------------- */

#define MAX_NAMES 16

struct totals {
    size_t      n;
    const char *names[MAX_NAMES];
    uint64_t    told[MAX_NAMES], lost[MAX_NAMES];
    bool               has_hook;
    struct hook_counts hook;
};

static void add_up(void *aux, const struct sink *s)
{
    struct totals *t = aux;
    size_t         i = 0;

    if (s->ops->hook != NULL) {
        t->has_hook = true;
        s->ops->hook(s, &t->hook);
    }
    if (s->ops->alert == NULL)
        return;
    while (i < t->n && strcmp(t->names[i], s->ops->name) != 0)
        i++;
    if (i == MAX_NAMES)
        return;
    if (i == t->n) {
        t->names[i] = s->ops->name;
        t->n++;
    }
    t->told[i] += s->told;
    t->lost[i] += s->lost;
}

static void put_hook(struct out *out, const struct hook_counts *c)
{
    const struct { const char *result; uint64_t n; } results[] = {{"succeeded", c->succeeded}, {"failed", c->failed}, {"timed-out", c->timed_out}};

    put_head(out, "hook_runs_total", COUNTER, "Runs of the hook's command, by what became of them.");
    for (unsigned i = 0; i < 3; i++) {
        put_labelled(out, "hook_runs_total", "result", results[i].result);
        put_end_of_series(out, results[i].n);
    }
}

static void put_notifier(struct out *out, const struct notifier *n)
{
    struct totals t = {0};

    notifier_each(n, add_up, &t);
    put_head(out, "alerts_total", COUNTER, "Alerts and messages that were sent, by output.");
    for (size_t i = 0; i < t.n; i++) {
        put_labelled(out, "alerts_total", "output", t.names[i]);
        put_end_of_series(out, t.told[i]);
    }
    put_head(out, "alerts_lost_total", COUNTER, "Alerts and messages that the output's reader did not take, by output.");
    for (size_t i = 0; i < t.n; i++) {
        put_labelled(out, "alerts_lost_total", "output", t.names[i]);
        put_end_of_series(out, t.lost[i]);
    }
    if (t.has_hook)
        put_hook(out, &t.hook);
    put_value(out, "alerts_held_back_total", COUNTER, "Alerts that the rate limit held back.", notify_counts(n).held_back);
}

void put_metrics(struct out *out, const struct notifier *n, const struct notify_vitals *v)
{
    put_about(out, notifier_about(n));
    put_packets(out, v);
    put_interfaces(out, v);
    put_tables(out, v);
    put_findings(out, v);
    put_notifier(out, n);
}
