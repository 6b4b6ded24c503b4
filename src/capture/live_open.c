/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an interface, and what is said where that does not work. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "live-private.h"

#define DEFAULT_TIMEOUT_MS 100

static void list_interfaces(char *buf, size_t size)
{
    struct if_nameindex *all = if_nameindex();
    size_t len = 0;

    buf[0] = '\0';
    for (struct if_nameindex *i = all; i != NULL && i->if_index != 0 && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", len > 0 ? ", " : "", i->if_name);
    if_freenameindex(all);
}

static int refuse(const struct live *l, int status, struct err *reterr)
{
    char names[256]; /* as many as a sentence bears */

    switch (status) {
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return err_set(reterr, -EPERM,
                       "%s: no permission to capture: it needs the capability CAP_NET_RAW, which root has, and which "
                       "'setcap cap_net_raw+ep' gives to the program",
                       l->name);
    case PCAP_ERROR_NO_SUCH_DEVICE:
        list_interfaces(names, sizeof(names));
        return err_set(reterr, -ENODEV, "%s: no such interface; there are %s", l->name, names);
    case PCAP_ERROR_IFACE_NOT_UP:
        return err_set(reterr, -ENETDOWN, "%s: the interface is down: 'ip link set %s up'", l->name, l->name);
    default:
        return err_set(reterr, -EIO, "%s: cannot capture: %s", l->name,
                       pcap_geterr(l->pcap)[0] != '\0' ? pcap_geterr(l->pcap) : pcap_statustostr(status));
    }
}

static int activate(struct live *l, const struct live_options *o, struct err *reterr)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    size_t ring = o->ring_bytes > 0 ? o->ring_bytes : LIVE_RING_BYTES;

    l->pcap = pcap_create(l->name, why);
    if (l->pcap == NULL)
        return err_set(reterr, -ENOMEM, "%s: %s", l->name, why);
    pcap_set_snaplen(l->pcap, o->snaplen > 0 && o->snaplen < MAX_SANE_CAPLEN ? (int)o->snaplen : (int)MAX_SANE_CAPLEN);
    pcap_set_promisc(l->pcap, !o->no_promiscuous);
    pcap_set_timeout(l->pcap, (int)l->timeout_ms);
    pcap_set_buffer_size(l->pcap, ring < INT32_MAX ? (int)ring : INT32_MAX);
    if (pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO) != 0)
        return err_set(reterr, -ENOTSUP, "%s: libpcap gives no nanoseconds here", l->name);
    int status = pcap_activate(l->pcap);
    if (status < 0)
        return refuse(l, status, reterr);
    if (pcap_setnonblock(l->pcap, 1, why) != 0) /* we wait, for other things too */
        return err_set(reterr, -EIO, "%s: %s", l->name, why);
    l->fd = pcap_fileno(l->pcap);
    l->index = strcmp(l->name, "any") == 0 ? 0 : if_nametoindex(l->name);
    l->counts_copies = l->index == 0 || l->index == if_nametoindex("lo");
    l->linktype = linktype_normal((uint16_t)pcap_datalink(l->pcap));
    l->snaplen = (uint32_t)pcap_snapshot(l->pcap);
    return 0;
}

static void open_drop_counters(struct live *l)
{
    static const char *const names[] = {"rx_missed_errors", "rx_fifo_errors"};
    char path[128]; /* a name of an interface has 15 characters at most */

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/sys/class/net/%.32s/statistics/%s", l->name, names[i]);
        l->drop_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
}

static int open_one(const char *iface, const struct live_options *o, struct live **ret, struct err *reterr)
{
    struct live *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return err_set(reterr, -ENOMEM, "%s: no memory to capture", iface);
    l->wake_fd = l->drop_fds[0] = l->drop_fds[1] = -1;
    l->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    l->name = strdup(iface);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = l->name != NULL && l->wake_fd >= 0 ? 0 : err_set(reterr, -ENOMEM, "%s: no memory to capture", iface);
    if (rc == 0 && o->filter != NULL && filter_new(o->filter, &l->filter) < 0)
        rc = err_set(reterr, -ENOMEM, "%s: no memory for the filter", iface);
    if (rc == 0)
        rc = activate(l, o, reterr);
    if (rc == 0 && l->filter != NULL && (rc = filter_add_linktype(l->filter, l->linktype, reterr)) < 0)
        err_prefix(reterr, "%s: ", iface);
    if (rc < 0) {
        live_free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

int live_open(const char *iface, const struct live_options *options, struct live **ret, struct err *reterr)
{
    const struct live_options none = {0}, *o = options != NULL ? options : &none;
    unsigned n_wanted = o->n_handles > 0 ? o->n_handles : 1, n = 0;
    struct live *handles[LIVE_MAX_HANDLES];
    int rc = 0;

    if (n_wanted > LIVE_MAX_HANDLES)
        return err_set(reterr, -EINVAL, "%s: %u handles are more than %d", iface, n_wanted, LIVE_MAX_HANDLES);
    while (rc == 0 && n < n_wanted) {
        rc = open_one(iface, o, &handles[n], reterr);
        n += rc == 0;
    }
    if (rc == 0 && n > 1)
        rc = fan_out_join(handles, n, reterr);
    if (rc < 0) {
        while (n > 0)
            live_free(handles[--n]);
        return rc;
    }
    open_drop_counters(handles[0]);
    handles[0]->drops_at_open = 0;
    struct live_stats stats;
    live_stats(handles[0], &stats);
    handles[0]->drops_at_open = handles[0]->stats.n_interface_dropped;
    handles[0]->stats.n_interface_dropped = 0;
    memcpy(ret, handles, n * sizeof(*handles));
    return 0;
}
