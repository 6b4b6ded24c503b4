/* SPDX-License-Identifier: Apache-2.0 */
/* pcap-filter(7) expressions: one program for each link type of an input, compiled by libpcap before the first frame.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "capture-private.h"

struct filter_program {
    uint16_t linktype;
    struct bpf_program code;
};

struct filter {
    char *expression;
    struct filter_program *programs;
    size_t n_programs;
};

int filter_new(const char *expression, struct filter **ret)
{
    struct filter *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    f->expression = strdup(expression);
    if (f->expression == NULL) {
        free(f);
        return -ENOMEM;
    }
    *ret = f;
    return 0;
}

static const struct filter_program *find(const struct filter *f, uint16_t linktype)
{
    for (size_t i = 0; i < f->n_programs; i++)
        if (f->programs[i].linktype == linktype)
            return &f->programs[i];
    return NULL;
}

int filter_add_linktype(struct filter *f, uint16_t linktype, struct err *reterr)
{
    char name[128]; /* a name and a description of libpcap's */

    if (find(f, linktype) != NULL)
        return 0;
    struct filter_program *programs = realloc(f->programs, (f->n_programs + 1) * sizeof(*programs));
    if (programs == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the filter");
    f->programs = programs;

    pcap_t *dead = pcap_open_dead(linktype_to_dlt(linktype), MAX_SANE_CAPLEN);
    if (dead == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the filter");
    struct filter_program *p = &programs[f->n_programs];
    int rc = 0;
    if (pcap_compile(dead, &p->code, f->expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
        rc = err_set(reterr, -EINVAL, "the filter '%s' does not compile for %s: %s", f->expression,
                     capture_linktype_name(linktype, name, sizeof(name)), pcap_geterr(dead));
    pcap_close(dead);
    if (rc != 0)
        return rc;
    p->linktype = linktype;
    f->n_programs++;
    return 0;
}

bool filter_matches(const struct filter *f, const struct frame *frame)
{
    const struct filter_program *p = find(f, frame->linktype);
    struct pcap_pkthdr header = {.caplen = frame->caplen, .len = frame->wirelen};

    return p != NULL && pcap_offline_filter(&p->code, &header, frame->data) != 0;
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->n_programs; i++)
        pcap_freecode(&f->programs[i].code);
    free(f->programs);
    free(f->expression);
    free(f);
}
