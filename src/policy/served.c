/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a server answered on the port that a client tried in vain: then it is not the service that one has to look at. */
#include <netinet/in.h>
#include <stdio.h>

#include "expect-private.h"

static bool is_before(const struct service *s, const struct point *p)
{
    if (s->server != p->server)
        return s->server < p->server;
    if (s->transport != p->transport)
        return s->transport < p->transport;
    return s->port < p->port;
}

/* Of a port the other clients that its server answered: the first of them, with the flows of all; false: none. */
static bool find_served_at(const struct services *all, const struct point *p, uint32_t but, struct served *ret)
{
    size_t low = 0, high = all->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (is_before(&all->items[mid], p))
            low = mid + 1;
        else
            high = mid;
    }
    *ret = (struct served){0};
    for (; low < all->n && all->items[low].server == p->server && all->items[low].transport == p->transport && all->items[low].port == p->port; low++) {
        const struct service *s = &all->items[low];

        if (s->client == but)
            continue;
        if (ret->n_clients++ == 0)
            ret->first = *s;
        else
            ret->first.flows += s->flows;
        ret->first.families |= s->families;
    }
    return ret->n_clients > 0;
}

/* Other clients that servers answered on ports which this one tried in vain: of how many ports, the first few of them in 'ret'. */
size_t find_served(const struct expector *x, const struct tally *t, struct served ret[static MOST_SERVED])
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_points; i++) {
        struct served s;

        if (!find_served_at(&expect_span(x, t->row)->services, &t->points[i], t->client, &s))
            continue;
        if (n < MOST_SERVED)
            ret[n] = s;
        n++;
    }
    return n;
}

/* ", while cache1 (192.0.2.1) answered app1 (192.0.2.2) and 1 other client on TCP 6379 12 times, and ..." */
void say_served(const struct expector *x, const struct served *all, size_t n, char *what)
{
    char service[16];

    for (size_t i = 0; i < n && i < MOST_SERVED; i++) {
        const struct service *s = &all[i].first;

        add(what, WHAT_SIZE, i == 0 ? ", while " : i + 1 == n ? ", and " : ", ");
        add_host(x, s->server, what, WHAT_SIZE);
        add(what, WHAT_SIZE, " answered ");
        add_host(x, s->client, what, WHAT_SIZE);
        if (all[i].n_clients > 1)
            add(what, WHAT_SIZE, " and %zu other%s", all[i].n_clients - 1, all[i].n_clients == 2 ? "" : "s");
        add(what, WHAT_SIZE, " on %s", service_text(s->transport, s->port, service, sizeof(service)));
        if (s->flows > 1)
            add(what, WHAT_SIZE, s->transport == IPPROTO_TCP ? " %llu times" : " in %llu flows", (unsigned long long)s->flows);
        add(what, WHAT_SIZE, "%s", families_text(x, s->server, s->families));
    }
    if (n > MOST_SERVED)
        add(what, WHAT_SIZE, ", among other answers");
}

/* Of those the servers, each once (they stand by server): "dc1", "dc1 or gc1"; how many. */
static unsigned name_served(const struct expector *x, const struct served *all, size_t n, char *buf, size_t size)
{
    unsigned named = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < n && i < MOST_SERVED; i++)
        if (i == 0 || all[i].first.server != all[i - 1].first.server)
            add(buf, size, "%s%s", named++ > 0 ? " or " : "", policy_host_name(x->p, all[i].first.server));
    return named;
}

/* Where to look: what stands between them and no other client. */
void advise_served(const struct expector *x, const struct tally *t, const struct served *all, size_t n, bool refused, char *advice)
{
    char     names[ADVICE_SIZE];
    unsigned named = name_served(x, all, n, names, sizeof(names));

    add(advice, ADVICE_SIZE, refused ? " Look at what refuses %s there" : " Look at what drops packets between %s and %s", policy_host_name(x->p, t->client), names);
    add(advice, ADVICE_SIZE, ": an access list on %s, or a filter on the way.", named > 1 ? "them" : names);
}
