/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Community ID version 1: SHA-1 over seed, both ends in order, transport and ports, in base64.
 *
 * libgcrypt rather than libndpi's call, which exists in one byte order for addresses and another for IPv6.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <gcrypt.h>

#include "flowaudit/classify.h"
#include "wire.h"

#define SHA1_SIZE 20
#define PREFIX    "1:"

/* The end that is numerically smaller (address as it is on the wire, then port) stands first. */
static size_t community_message(const struct tuple *tuple, uint8_t *p)
{
    const struct addr *low = &tuple->client, *high = &tuple->server;
    uint16_t low_port = tuple->client_port, high_port = tuple->server_port;
    int order = addr_compare(low, high);

    if (order > 0 || (order == 0 && low_port > high_port)) {
        low = &tuple->server, high = &tuple->client;
        low_port = tuple->server_port, high_port = tuple->client_port;
    }
    size_t skip = addr_is_ipv4(low) && addr_is_ipv4(high) ? 12 : 0, size = 16 - skip, at = 2;
    wire_put_be16(p, 0); /* seed */
    memcpy(p + at, low->bytes + skip, size);
    memcpy(p + at + size, high->bytes + skip, size);
    at += 2 * size;
    p[at++] = tuple->transport;
    p[at++] = 0;
    wire_put_be16(p + at, low_port);
    wire_put_be16(p + at + 2, high_port);
    return at + 4;
}

static void base64(const uint8_t *p, size_t len, char *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16 | (uint32_t)(n > 1 ? p[i + 1] : 0) << 8 | (n > 2 ? p[i + 2] : 0);
        *ret++ = digits[bits >> 18];
        *ret++ = digits[bits >> 12 & 63];
        *ret++ = n > 1 ? digits[bits >> 6 & 63] : '=';
        *ret++ = n > 2 ? digits[bits & 63] : '=';
    }
    *ret = '\0';
}

int community_id(const struct tuple *tuple, char ret[static COMMUNITY_ID_SIZE])
{
    uint8_t message[2 + 32 + 2 + 4], digest[SHA1_SIZE];

    if (tuple->transport != IPPROTO_TCP && tuple->transport != IPPROTO_UDP && tuple->transport != IPPROTO_SCTP)
        return -ENOTSUP;
    if (gcry_check_version(NULL) == NULL) /* the library wants to be asked before its first use */
        return -EIO;
    size_t len = community_message(tuple, message);
    gcry_md_hash_buffer(GCRY_MD_SHA1, digest, message, len);
    memcpy(ret, PREFIX, sizeof(PREFIX));
    base64(digest, sizeof(digest), ret + sizeof(PREFIX) - 1);
    return 0;
}
