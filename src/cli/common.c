/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "flowaudit/classify.h"
#include "flowaudit/engine.h"
#include "flowaudit/report.h"
#include "version.h"

#define PATH_SIZE 4096

/* A sentence may have in it what a record or a packet holds. */
int complain(const char *fmt, ...)
{
    char    sentence[8192], *line = NULL;
    size_t  size = 0;
    va_list args;
    FILE   *f = open_memstream(&line, &size); /* so that it is written at once */

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    report_put_safe(f != NULL ? f : stderr, "flowaudit: ");
    report_put_safe(f != NULL ? f : stderr, sentence);
    fputc('\n', f != NULL ? f : stderr);
    if (f != NULL && fclose(f) == 0)
        fwrite(line, 1, size, stderr);
    free(line);
    return EXIT_UNUSABLE;
}

int complain_linktype(const struct engine_result *r)
{
    return complain("%s: link type %s is not decoded; known are Ethernet, Linux cooked, raw IP, NULL/LOOP, PPP, PPPoE, Cisco HDLC and NFLOG", r->linktype_input, r->linktype);
}

bool is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

struct same_file {
    dev_t       device;
    ino_t       inode;
    const char *path;
};

static int by_file(const void *pa, const void *pb)
{
    const struct same_file *a = pa, *b = pb;

    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

int refuse_twice(const char *const *paths, size_t n)
{
    struct same_file *files = calloc(n + 1, sizeof(*files));
    size_t            n_files = 0;
    int               rc = files == NULL ? complain("no memory") : 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct stat st;
        bool        from_stdin = strcmp(paths[i], "-") == 0;

        if ((from_stdin ? fstat(STDIN_FILENO, &st) : stat(paths[i], &st)) == 0 && (from_stdin || S_ISREG(st.st_mode)))
            files[n_files++] = (struct same_file){st.st_dev, st.st_ino, paths[i]};
    }
    if (n_files > 1)
        qsort(files, n_files, sizeof(*files), by_file);
    for (size_t i = 1; rc == 0 && i < n_files; i++)
        if (by_file(&files[i - 1], &files[i]) == 0)
            rc = complain("%s and %s are the same file: its packets would count twice; name it once", files[i - 1].path, files[i].path);
    free(files);
    return rc;
}

int misuse(const char *command)
{
    return complain("try 'flowaudit %s --help'", command);
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    complain("standard output: %s; what was printed is not whole", strerror(errno));
    return EXIT_INCOMPLETE;
}

int number_parse(const char *option, const char *text, unsigned long min, unsigned long max, unsigned long *ret)
{
    char *end;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n < min || n > max)
        return complain("%s %s: a number from %lu to %lu is wanted", option, text, min, max);
    *ret = n;
    return 0;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
    static const char    units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    const int64_t        longest = INT64_C(36500) * 86400;
    char                *end;

    errno = 0;
    unsigned long long n = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    const char        *unit = n > 0 && errno == 0 && *end != '\0' ? strchr(units, *end) : NULL;
    if (unit == NULL || end[1] != '\0' || n > (unsigned long long)(longest / seconds[unit - units]))
        return -EINVAL;
    *ret_ns = (int64_t)n * seconds[unit - units] * 1000000000;
    return 0;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
    char *end;

    errno = 0;
    unsigned long long n = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (n == 0 || errno != 0 || n > (1ull << 30))
        return -EINVAL;
    if (strcmp(end, "GiB") == 0)
        n <<= 10;
    else if (*end != '\0' && strcmp(end, "MiB") != 0)
        return -EINVAL;
    *ret_bytes = (uint64_t)n << 20;
    return 0;
}

int64_t run_time_ns(void)
{
    const char     *epoch = getenv("SOURCE_DATE_EPOCH");
    struct timespec now;

    if (epoch != NULL && *epoch != '\0') {
        char     *end;
        long long seconds = strtoll(epoch, &end, 10);

        if (*end == '\0' && seconds >= 0 && seconds < INT64_MAX / 1000000000)
            return seconds * 1000000000;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool wants_color(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(f)) && (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

unsigned terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col < 160 ? size.ws_col : 160;
    return 100;
}

struct policy_options cli_policy_options(void)
{
    return (struct policy_options){.known_protocols = classify_names(), .satisfies = classify_satisfies};
}

int parse_id(const char *option, const char *text, int64_t *ret)
{
    const char *digits = text + (*text == '#'); /* as reports write it */
    char       *end;

    errno = 0;
    long long n = strtoll(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end != '\0' || errno != 0 || n < 1)
        return complain("%s %s: a number from 1 on is wanted", option, text);
    *ret = n;
    return 0;
}

/* --- finding files --------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *find_site(const char *given)
{
    static const char *const places[] = {"flowaudit.yaml", FLOWAUDIT_SYSCONFDIR "/flowaudit/flowaudit.yaml"};

    if (given != NULL)
        return strdup(given);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (exists(places[i]))
            return strdup(places[i]);
    complain("no site file: name one with -s SITE, or put it at %s or %s", places[0], places[1]);
    return NULL;
}

/* The folder of the running program, so that a build tree and a relocated installation find their rules. */
static bool program_folder(char *buf, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", buf, size - 1);

    if (n <= 0)
        return false;
    buf[n] = '\0';
    char *slash = strrchr(buf, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}

bool rules_folder(size_t i, char *buf, size_t size)
{
    const char *env = getenv("FLOWAUDIT_RULES");
    char        program[PATH_SIZE / 2];

    buf[0] = '\0';
    switch (i) {
    case 0:
        if (env != NULL)
            snprintf(buf, size, "%s", env);
        return true;
    case 1:
    case 2:
        if (program_folder(program, sizeof(program)))
            snprintf(buf, size, "%s/%s", program, i == 1 ? "../rules" : "../share/flowaudit/rules");
        return true;
    case 3:
        snprintf(buf, size, "%s", FLOWAUDIT_DATADIR "/flowaudit/rules");
        return true;
    default:
        return false;
    }
}

bool find_rules_data(const char *file, char *path, size_t size)
{
    char folder[PATH_SIZE / 2 + 64];

    for (size_t i = 0; rules_folder(i, folder, sizeof(folder)); i++) {
        if (folder[0] == '\0')
            continue;
        snprintf(path, size, "%s/%s", folder, file);
        if (exists(path))
            return true;
    }
    return false;
}

static bool find_rules_file(const char *name, char *path, size_t size)
{
    char file[PATH_SIZE / 2];

    snprintf(file, sizeof(file), "%s.yaml", name);
    return find_rules_data(file, path, size);
}

static int list_matrices(const char *folder, char names[][64], int n, int most)
{
    DIR           *d = opendir(folder);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL && n < most) {
        size_t len = strlen(e->d_name);
        bool   is_known = false;

        if (len <= 5 || len - 5 >= 64 || strcmp(e->d_name + len - 5, ".yaml") != 0)
            continue;
        snprintf(names[n], 64, "%.*s", (int)len - 5, e->d_name);
        for (int k = 0; k < n; k++)
            is_known = is_known || strcmp(names[k], names[n]) == 0;
        n += is_known ? 0 : 1;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *matrix_hint(const char *name, char *buf, size_t size)
{
    char        names[16][64], folder[PATH_SIZE / 2 + 64];
    const char *each[16], *nearest;
    int         n = 0;
    size_t      len = 0;

    for (size_t i = 0; rules_folder(i, folder, sizeof(folder)); i++)
        if (folder[0] != '\0')
            n = list_matrices(folder, names, n, 16);
    qsort(names, (size_t)n, sizeof(names[0]), by_text);
    for (int i = 0; i < n; i++)
        each[i] = names[i];
    buf[0] = '\0';
    nearest = diag_nearest(name, each, (size_t)n);
    if (nearest != NULL)
        snprintf(buf, size, "; did you mean '%s'?", nearest);
    for (int i = 0; nearest == NULL && i < n && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i == 0 ? "; there are " : ", ", each[i]);
    return buf;
}

static bool is_path(const char *name)
{
    size_t len = strlen(name);

    return strchr(name, '/') != NULL || (len > 5 && strcmp(name + len - 5, ".yaml") == 0) || (len > 4 && strcmp(name + len - 4, ".yml") == 0);
}

/* A path that a file speaks of is meant from that file's folder. */
static void path_beside(const char *path, const char *near, char *buf, size_t size)
{
    const char *slash = near != NULL ? strrchr(near, '/') : NULL;

    if (*path == '/' || slash == NULL)
        snprintf(buf, size, "%s", path);
    else
        snprintf(buf, size, "%.*s/%s", (int)(slash - near), near, path);
}

int load_matrix(const char *name, const char *near, struct matrix **ret, struct diag_list *diags)
{
    char path[PATH_SIZE];

    if (is_path(name))
        path_beside(name, near, path, sizeof(path));
    else if (!find_rules_file(name, path, sizeof(path)))
        return -ENOENT;
    if (!exists(path))
        return -ENOENT;
    return matrix_load(path, ret, diags) == 0 ? 0 : -EINVAL;
}

/* --- the rulebook ------------------------------------------------------------------------------------ */

/* Errors are always shown, the rest unless the user wants quiet. */
static void show(struct diag_list *diags, bool quiet)
{
    diag_sort(diags);
    if (!quiet || diag_count(diags, DIAG_ERROR) > 0)
        diag_print(diags, stderr);
}

/* By its first bytes: pcap of either byte order and resolution, pcapng. */
static bool is_capture(const char *path)
{
    static const unsigned char begins[][4] = {{0xa1, 0xb2, 0xc3, 0xd4}, {0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d},
                                              {0x4d, 0x3c, 0xb2, 0xa1}, {0x0a, 0x0d, 0x0d, 0x0a}};
    struct stat                st;
    unsigned char              head[4];
    bool                       ret = false;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    if (fread(head, sizeof(head), 1, f) == 1)
        for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
            ret = ret || memcmp(head, begins[i], sizeof(head)) == 0;
    fclose(f);
    return ret;
}

/* Read as a matrix it has no errors, or fewer than as a site. */
static bool is_matrix(const char *path, const struct diag_list *as_site)
{
    struct diag_list diags = {0};
    struct matrix   *matrix = NULL;
    bool             loaded = matrix_load(path, &matrix, &diags) == 0;
    size_t           n = diag_count(&diags, DIAG_ERROR);

    diag_list_clear(&diags);
    matrix_free(matrix);
    return loaded || (n > 0 && 2 * n < diag_count(as_site, DIAG_ERROR));
}

/* A shell makes the file before the program that should write it has said that it cannot. */
static bool is_empty(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* A site with errors is held to its matrix too, as far as it could be read: all errors are told at once. */
static int load_both(struct rulebook *book, const char *path, struct diag_list *diags)
{
    int site_rc = site_load_partly(path, &book->site, diags);
    if (book->site == NULL || book->site->matrix.text == NULL)
        return EXIT_UNUSABLE;
    const struct rules_name *name = &book->site->matrix;
    int                      rc = load_matrix(name->text, path, &book->matrix, diags);
    if (rc == -ENOENT) {
        struct diag_place place = site_place(book->site, &name->place);
        char              hint[300];
        diag_add(diags, DIAG_ERROR, &place, "no matrix '%s'; a name of a file in the rules directory, or a path, is wanted%s", name->text,
                 matrix_hint(name->text, hint, sizeof(hint)));
    }
    if (rc == 0 && site_rc != 0)
        policy_check_names(book->matrix, book->site, diags);
    if (rc != 0 || site_rc != 0)
        return EXIT_UNUSABLE;
    struct policy_options options = cli_policy_options();
    return policy_compile(book->matrix, book->site, &options, &book->policy, diags) == 0 ? 0 : EXIT_UNUSABLE;
}

int rulebook_load(struct rulebook *book, const char *site_path, bool quiet)
{
    struct diag_list diags = {0};
    char            *path = find_site(site_path);

    *book = (struct rulebook){0};
    if (path == NULL)
        return EXIT_UNUSABLE;
    if (is_capture(path)) {
        complain("%s is a capture, not a site file: flowaudit check -s SITE.yaml CAPTURE", path);
        free(path);
        return EXIT_UNUSABLE;
    }
    int rc = load_both(book, path, &diags);
    if (rc != 0 && is_matrix(path, &diags)) {
        complain("%s is a matrix, not a site file; 'flowaudit lint %s' checks it, and a site file names it with 'matrix:'", path, path);
        diag_list_clear(&diags);
        free(path);
        rulebook_free(book);
        return EXIT_UNUSABLE;
    }
    show(&diags, quiet);
    if (rc != 0 && diag_count(&diags, DIAG_ERROR) == 0)
        complain("%s: no memory to read it and its matrix", path);
    if (rc != 0 && is_empty(path))
        complain("'flowaudit learn CAPTURE > %s' proposes a site file from a capture, and leaves an empty one where it says that it has nothing to propose", path);
    diag_list_clear(&diags);
    free(path);
    if (rc != 0)
        rulebook_free(book);
    return rc;
}

void rulebook_free(struct rulebook *book)
{
    policy_free(book->policy);
    site_free(book->site);
    matrix_free(book->matrix);
    *book = (struct rulebook){0};
}
