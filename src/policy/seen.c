/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences for an expected flow that was seen, and for one of which a connection is there that began before. */
#include <stdio.h>

#include "expect-private.h"

/* "UDP 137, TCP 445 of dc1 (10.0.2.1); TCP 445 of dc2 (10.0.2.2)" */
static void say_points(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    uint8_t families = 0;
    char    service[16];

    for (size_t i = 0; i < t->n_points; i++) {
        const struct point *p = &t->points[i];
        bool                last = i + 1 == t->n_points || t->points[i + 1].server != p->server;

        families |= p->families;
        add(buf, size, "%s", service_text(p->transport, p->port, service, sizeof(service)));
        if (!last) {
            add(buf, size, ", ");
            continue;
        }
        add(buf, size, "%s of ", i + 1 == t->n_points && t->more_points ? " and others" : "");
        add_host(x, p->server, buf, size);
        add(buf, size, "%s%s", families_text(x, p->server, families), i + 1 < t->n_points ? "; " : "");
        families = 0;
    }
}

/* Which of its ports were used is said, for nobody has seen the others.  What answered and was reset was open, and is seen; used it was not. */
void say_seen(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const struct coverage   *c = &expect_span(x, t->row)->coverage;
    char                     ports[PORTS_TEXT_SIZE], from[CLIENT_TEXT_SIZE];

    snprintf(buf, size, "Of the ports of row %s (%s, \"%s\"), %s, ", row->id.text, row->service, row->section, ports_text(&x->p->rows[t->row], ports, sizeof(ports)));
    client_of(x, t, from, sizeof(from));
    if (t->connected)
        add(buf, size, t->answered ? "%s used " : "%s sent to ", from);
    else
        add(buf, size, "%s answered %s that %s open (SYN, ACK), and %s reset %s, so that no connection was used: ", t->n_points == 1 ? "this one" : "these", from,
            t->n_points == 1 ? "it is" : "they are", policy_host_name(x->p, t->client), t->probed == 1 ? "the connection" : "each connection");
    say_points(x, t, buf, size);
    if (!t->answered)
        add(buf, size, ", where no answer is due%s", c->lost > 0 || c->unseen_bytes > 0 || c->unseen_errors > 0 ?
            ", and an error that refused it may be among the packets that are known to be missing" : "");
    add(buf, size, ".");
}

/* A connection one side of which is not in the capture: it is there, so attempts that failed beside it prove no failure. */
void say_running(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    uint64_t                 failed = t->n[OUTCOME_PROHIBITED] + t->n[OUTCOME_REFUSED] + t->n[OUTCOME_UNANSWERED];
    const char              *client = policy_host_name(x->p, t->client);
    char                     service[16], from[CLIENT_TEXT_SIZE];

    snprintf(buf, size, "A connection of %s to %s of ", client_of(x, t, from, sizeof(from)),
             service_text(t->running_at.transport, t->running_at.port, service, sizeof(service)));
    add_host(x, t->running_at.server, buf, size);
    if (t->by_client)
        add(buf, size, " is there, for %s goes on with it, but nothing of the latter in it was captured", client);
    else
        add(buf, size, " is there, for the latter goes on with it, but nothing of %s in it was captured", client);
    if (failed > 0)
        add(buf, size, "; besides, %llu attempt%s not seen to get through", (unsigned long long)failed, failed == 1 ? " was" : "s were");
    add(buf, size, ". The document requires this flow (row %s, \"%s\"). Look at where the capture was taken.", row->id.text, row->section);
}

/* Of connections that began before the capture one side's RST and what it answers, or a segment without an answer: whether they ever worked is not in the capture. */
void say_ended(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client), *server = policy_host_name(x->p, t->ended_at.server);
    bool                     one = t->ended == 1;
    uint64_t                 by_client = t->ended - t->ended_by_server - t->ended_by_nobody;
    char                     service[16], from[ADDR_TEXT_SIZE];

    snprintf(buf, size, "No attempt of %s (%s) at %s of ", client, addr_text(&t->ended_from, from), service_text(t->ended_at.transport, t->ended_at.port, service, sizeof(service)));
    add_host(x, t->ended_at.server, buf, size);
    add(buf, size, "%s was seen, only ", families_text(x, t->ended_at.server, t->ended_at.families));
    if (one && t->ended_by_nobody > 0)
        add(buf, size, "a segment of a connection that began before the capture, and nothing that answers it");
    else if (one)
        add(buf, size, "a segment of a connection that began before the capture, and %s's RST to it", t->ended_by_server > 0 ? server : client);
    else if (t->ended_by_nobody > 0)
        add(buf, size, "segments of %llu connections that began before the capture, and a RST to %llu of them (%llu of the server, %llu of the client)", (unsigned long long)t->ended,
            (unsigned long long)(t->ended - t->ended_by_nobody), (unsigned long long)t->ended_by_server, (unsigned long long)by_client);
    else
        add(buf, size, "segments of %llu connections that began before the capture, and a RST to each (%llu of the server, %llu of the client)",
            (unsigned long long)t->ended, (unsigned long long)t->ended_by_server, (unsigned long long)by_client);
    add(buf, size, ", so whether %s ever worked cannot be told. The document requires this flow (row %s, \"%s\").", one ? "it" : "they", row->id.text, row->section);
}
