/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A matrix and a site file, and the policy that comes of them.  Input: the matrix, a line "%%", the site; where there is no such
 * line, the site alone with the matrix below.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowaudit/policy.h"
#include "flowaudit/rules.h"

static const char matrix_text[] =
    "matrix: demo\nroles:\n  web: {governed: true}\n  db:  {family: data, implies: [store]}\n  store: {family: data}\n"
    "options: {cache: {default: off}, fast: {on_with: db}}\nparameters: {db_port: {ports: 5432-5440}}\n"
    "sections:\n  - heading: One\n    rows:\n"
    "      - {id: web-db, from: web, to: db, ports: \"tcp/{db_port}\", service: SQL, expect: required, protocols: TLS}\n"
    "      - {id: web-cache, from: web, to: db, ports: tcp/6379, service: cache, when: {cache: on}, expect: on-demand}\n"
    "      - {id: web-log, from: web, to: store, ports: udp/514, service: syslog, expect: on-demand}\n";

static void check_diags(const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n_items; i++)
        fuzz_must(diags->items[i].message != NULL && diags->items[i].message[0] != '\0');
}

static void ask(const struct policy *policy)
{
    struct policy_query q = {.tuple = {.client_port = 1025, .server_port = 5432, .transport = 6}, .sent = {true, true}};
    struct judgement    j;

    for (uint8_t i = 0; i < 8; i++) {
        q.tuple.client = addr_from_ipv4((uint8_t[]){10, 0, 0, i});
        q.tuple.server = addr_from_ipv4((uint8_t[]){10, 0, 0, (uint8_t)(i + 1)});
        q.tuple.server_port = (uint16_t)(i % 2 == 0 ? 5432 : 6379);
        memset(&j, 0, sizeof(j));
        policy_judge(policy, &q, &j);
    }
}

/* A site with errors, read as far as it goes, so that the names in it can be checked too. */
static void tell_all(const struct matrix *matrix, const char *path)
{
    struct diag_list diags = {0};
    struct site     *site = NULL;

    fuzz_must(site_load_partly(path, &site, &diags) != 0 && diag_count(&diags, DIAG_ERROR) > 0);
    if (site != NULL && matrix != NULL)
        policy_check_names(matrix, site, &diags);
    check_diags(&diags);
    diag_list_clear(&diags);
    site_free(site);
}

/* By the name of a file, as the program does. */
static void compile(const struct matrix *matrix, const char *text, size_t size)
{
    char             path[64];
    struct diag_list diags = {0};
    struct site     *site = NULL;
    struct policy   *policy = NULL;

    int fd = fuzz_file(text, size, path);
    int rc = site_load(path, &site, &diags);
    fuzz_must((rc == 0) == (diag_count(&diags, DIAG_ERROR) == 0));
    if (rc == -EINVAL)
        tell_all(matrix, path);
    close(fd);
    if (rc == 0 && matrix != NULL && policy_compile(matrix, site, &(struct policy_options){0}, &policy, &diags) == 0) {
        ask(policy);
        policy_free(policy);
    }
    check_diags(&diags);
    diag_list_clear(&diags);
    if (rc == 0)
        site_free(site);
}

static int load_matrix(const char *text, size_t size, struct matrix **ret, struct diag_list *diags)
{
    char path[64];

    int fd = fuzz_file(text, size, path);
    int rc = matrix_load(path, ret, diags);
    close(fd);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag_list diags = {0};
    struct matrix   *matrix = NULL;
    struct fuzz      in = {data, size};
    size_t           n;
    char            *copy = (char *)fuzz_copy(&in, SIZE_MAX, &n);
    const char      *mark = n > 4 ? memmem(copy, n, "\n%%\n", 4) : NULL;
    const char      *text = mark != NULL ? copy : matrix_text;
    size_t           text_size = mark != NULL ? (size_t)(mark - copy) : sizeof(matrix_text) - 1;

    int rc = size == 0 ? matrix_load("/dev/null/none", &matrix, &diags) : load_matrix(text, text_size, &matrix, &diags);
    fuzz_must((rc == 0) == (diag_count(&diags, DIAG_ERROR) == 0) && (rc == 0 || mark != NULL || size == 0));
    check_diags(&diags);
    diag_list_clear(&diags);
    if (mark != NULL)
        compile(rc == 0 ? matrix : NULL, mark + 4, n - text_size - 4);
    else
        compile(rc == 0 ? matrix : NULL, copy, n);
    if (rc == 0)
        matrix_free(matrix);
    free(copy);
    return 0;
}
