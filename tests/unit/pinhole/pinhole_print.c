/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pinhole_print FILE...: what is announced in captures, a line each, fields separated by tabs: file, frame, kind, what,
 * UUID, address, port, transport, rtcp, assumed, way, announcer, requester.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pinhole_drive.h"

static void print(void *aux, const struct pinhole *h)
{
    char addr[ADDR_TEXT_SIZE], by[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];

    printf("%s\t%llu\t%s\t%s\t%s\t%s\t%u\t%s\t%s\t%s\t%s\t%s\t%s\n", (const char *)aux,
           (unsigned long long)h->packet_number, pinhole_kind_name(h->kind), h->what, h->uuid,
           addr_text(&h->addr, addr), h->port, h->transport == IPPROTO_TCP ? "tcp" : "udp", h->rtcp ? "rtcp" : "-",
           h->addr_assumed ? "assumed" : "stated", pinhole_way_name(h->way), addr_text(&h->announcer, by),
           addr_text(&h->requester, to));
}

int main(int argc, char **argv)
{
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        struct pinholes_stats s;
        struct err err;

        if (pinhole_drive(argv[i], print, argv[i], &s, &err) < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], err.msg);
            rc = 1;
            continue;
        }
        fprintf(stderr, "%s: %llu shown, %llu messages, %llu announced, %llu sealed, %llu lost, peak %llu\n", argv[i],
                (unsigned long long)s.n_packets, (unsigned long long)s.n_messages, (unsigned long long)s.n_announced,
                (unsigned long long)s.n_sealed, (unsigned long long)s.n_lost, (unsigned long long)s.n_states_peak);
    }
    return rc;
}
