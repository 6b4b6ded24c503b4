/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ndpi_api.h>

#include "ndpi_shim.h"

#define SHIM_VERSION (NDPI_MAJOR * 100 + NDPI_MINOR)

struct ndpi_detector {
    struct ndpi_detection_module_struct *module;
};

int ndpi_shim_check(struct err *reterr)
{
    if (ndpi_get_api_version() != NDPI_API_VERSION)
        return err_set(reterr, -ENOTSUP,
                       "the libndpi that was loaded (%s) is not the one that this program was built for: "
                       "its interface has number %u, not %u",
                       ndpi_revision(), ndpi_get_api_version(), NDPI_API_VERSION);
    if (ndpi_detection_get_sizeof_ndpi_flow_struct() != sizeof(struct ndpi_flow_struct))
        return err_set(reterr, -ENOTSUP,
                       "the libndpi that was loaded (%s) is not the one that this program was built for: "
                       "a flow takes %u bytes in it, not %zu",
                       ndpi_revision(), ndpi_detection_get_sizeof_ndpi_flow_struct(), sizeof(struct ndpi_flow_struct));
    return 0;
}

void ndpi_shim_set_allocator(void *(*allocate)(size_t), void (*release)(void *))
{
#if SHIM_VERSION < 500
    set_ndpi_malloc(allocate);
    set_ndpi_free(release);
    set_ndpi_flow_malloc(allocate);
    set_ndpi_flow_free(release);
#else
    ndpi_set_memory_alloction_functions(allocate, release, NULL, NULL, allocate, release);
#endif
}

static int shim_protocol_id(struct ndpi_detection_module_struct *module, const char *name)
{
    char buf[64]; /* the library wants it writable; its longest name has 20 characters */
    size_t len = strlen(name);

    if (len >= sizeof(buf))
        return -1;
    memcpy(buf, name, len + 1);
#if SHIM_VERSION < 411
    return ndpi_get_protocol_id(module, buf);
#else
    uint16_t id = ndpi_get_proto_by_name(module, buf);
    return id == NDPI_PROTOCOL_UNKNOWN ? -1 : id;
#endif
}

/* From 5.0 on every protocol is enabled and the set of names is ignored: what the first detector says is then checked
 * by name alone. */
static void shim_enable(struct ndpi_detection_module_struct *module, const char *const *names, size_t n_names)
{
#if SHIM_VERSION < 500
    NDPI_PROTOCOL_BITMASK mask;

    NDPI_BITMASK_RESET(mask);
    if (names == NULL)
        NDPI_BITMASK_SET_ALL(mask);
    for (size_t i = 0; names != NULL && i < n_names; i++) {
        int id = shim_protocol_id(module, names[i]);
        if (id > 0)
            NDPI_BITMASK_ADD(mask, id);
    }
    (void)ndpi_set_protocol_detection_bitmask2(module, &mask);
#else
    (void)module, (void)names, (void)n_names, (void)shim_protocol_id;
#endif
}

int ndpi_detector_new(const char *const *names, size_t n_names, struct ndpi_detector **ret, struct err *reterr)
{
    struct ndpi_detector *detector = calloc(1, sizeof(*detector));

    if (detector == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a protocol detector");
#if SHIM_VERSION < 410
    detector->module = ndpi_init_detection_module(ndpi_no_prefs);
#else
    detector->module = ndpi_init_detection_module(NULL);
#endif
    if (detector->module == NULL) {
        free(detector);
        return err_set(reterr, -ENOMEM, "libndpi could not make a protocol detector");
    }
    shim_enable(detector->module, names, n_names);
    (void)ndpi_finalize_initialization(detector->module);
    *ret = detector;
    return 0;
}

void ndpi_detector_free(struct ndpi_detector *detector)
{
    if (detector == NULL)
        return;
    ndpi_exit_detection_module(detector->module);
    free(detector);
}

size_t ndpi_shim_flow_size(void)
{
    return sizeof(struct ndpi_flow_struct);
}

/* ndpi_free_flow() would free the flow itself too. */
void ndpi_shim_flow_end(void *flow)
{
    ndpi_free_flow_data(flow);
}

static const char *shim_name(struct ndpi_detector *detector, uint16_t id)
{
    return id == NDPI_PROTOCOL_UNKNOWN ? "" : ndpi_get_proto_name(detector->module, id);
}

/* Only NDPI_CONFIDENCE_DPI is content: the values between depend on ports, on lists of networks, or on other flows
 * (DPI_CACHE), and their order changes with the version. */
bool ndpi_detector_packet(struct ndpi_detector *detector, void *flow, const uint8_t *ip, size_t len, int64_t ts_ns,
                          struct ndpi_opinion *ret)
{
    struct ndpi_flow_struct *state = flow;
    uint64_t ms = ts_ns > 0 ? (uint64_t)ts_ns / 1000000 : 0;

#if SHIM_VERSION < 406
    ndpi_protocol found = ndpi_detection_process_packet(detector->module, state, ip, (uint16_t)len, ms);
#else
    ndpi_protocol found = ndpi_detection_process_packet(detector->module, state, ip, (uint16_t)len, ms, NULL);
#endif
#if SHIM_VERSION < 411
    uint16_t master = found.master_protocol, app = found.app_protocol;
#else
    uint16_t master = found.proto.master_protocol, app = found.proto.app_protocol;
#endif
    if (state->confidence != NDPI_CONFIDENCE_DPI || (master == NDPI_PROTOCOL_UNKNOWN && app == NDPI_PROTOCOL_UNKNOWN))
        return false;
    ret->master = shim_name(detector, master);
    ret->app = shim_name(detector, app);
    return true;
}
