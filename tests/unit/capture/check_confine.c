/* SPDX-License-Identifier: Apache-2.0 */
/* Each test gives up rights in a child of its own, and looks at what is left of them. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "flowaudit/confine.h"

/* Runs 'fn' in a child; the wait status. */
static int in_child(void (*fn)(const char *folder), const char *folder)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        fn(folder);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void make_folder(char *folder)
{
    strcpy(folder, "/tmp/confine-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct confine_result lock(const char *folder, bool unix_sockets)
{
    static const char *const readable[] = {"/proc/self", "/nothing/of/this/name"};
    struct confine_options o = {&folder, 1, readable, 2, false, unix_sockets};
    struct confine_result result;
    struct err err = {0};

    if (confine_become(NULL, false, &err) != 0 || confine_lock(&o, &result, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(100);
    }
    return result;
}

/* "Seccomp:\t2\n" of /proc/self/status */
static bool status_has(const char *line)
{
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    text[n > 0 ? n : 0] = '\0';
    return strstr(text, line) != NULL;
}

static void expect(bool holds, int status)
{
    if (!holds)
        _exit(status);
}

static void look_at_status(const char *folder)
{
    struct confine_result result = lock(folder, false);

    expect(status_has("\nNoNewPrivs:\t1\n"), 1);
    expect(!result.has_seccomp || status_has("\nSeccomp:\t2\n"), 2);
    expect(!result.has_seccomp || status_has("\nCapEff:\t0000000000000000\n"), 3);
    expect(!result.has_seccomp || status_has("\nCapPrm:\t0000000000000000\n"), 4);
    expect((result.missing[0] == '\0') == (result.landlock_abi > 0 && result.has_seccomp), 5);
}

START_TEST(the_process_says_that_its_rights_are_gone)
{
    char folder[32];

    make_folder(folder);
    ck_assert_int_eq(in_child(look_at_status, folder), 0);
    remove_folder(folder);
}
END_TEST

static void use_files(const char *folder)
{
    char path[64], other[64];
    struct confine_result result = lock(folder, false);

    snprintf(path, sizeof(path), "%s/file", folder);
    snprintf(other, sizeof(other), "%s/other", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    expect(fd >= 0 && write(fd, "text", 4) == 4 && fsync(fd) == 0 && ftruncate(fd, 2) == 0, 1);
    expect(rename(path, other) == 0 && unlink(other) == 0, 2);
    if (result.landlock_abi == 0)
        return;
    expect(open("/tmp/confine-other", O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES, 3);
    expect(confine_is_wide() || (open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES), 4);
    expect(open("/proc/self/status", O_RDONLY) >= 0, 5);
}

START_TEST(files_are_made_in_the_folders_that_are_named_and_nowhere_else)
{
    char folder[32];

    make_folder(folder);
    ck_assert_int_eq(in_child(use_files, folder), 0);
    remove_folder(folder);
}
END_TEST

static void call_socket(const char *folder)
{
    lock(folder, false);
    socket(AF_INET, SOCK_DGRAM, 0);
}

static void call_packet_socket(const char *folder)
{
    lock(folder, true);
    socket(AF_PACKET, SOCK_RAW, 0);
}

static void call_exec(const char *folder)
{
    char *const none[] = {NULL};

    lock(folder, false);
    execve("/bin/true", none, none);
}

static void call_ptrace(const char *folder)
{
    lock(folder, false);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void call_unshare(const char *folder)
{
    lock(folder, false);
    unshare(CLONE_NEWNET);
}

/* What Landlock of older kernels lets pass: a file that may only be read is emptied; and other processes of this user. */
static void harm_what_is_not_ours(const char *folder)
{
    struct rlimit limit = {0};
    char path[64];

    snprintf(path, sizeof(path), "%s/file", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    expect(fd >= 0 && write(fd, "text", 4) == 4, 1);
    lock(folder, false);
    expect(open(path, O_RDONLY | O_TRUNC) < 0 && errno == EPERM, 2);
    expect(truncate(path, 0) != 0 && errno == EPERM, 3);
    expect(lseek(fd, 0, SEEK_END) == 4, 4);
    expect(utimensat(AT_FDCWD, path, NULL, 0) != 0 && errno == EPERM, 5);
    expect(syscall(SYS_tgkill, getppid(), getppid(), 0) != 0 && errno == EPERM, 6);
    expect(prlimit(getppid(), RLIMIT_CORE, NULL, &limit) != 0 && errno == EPERM, 7);
    expect(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0, 8);
    expect((fd = open(path, O_WRONLY | O_TRUNC)) >= 0 && lseek(fd, 0, SEEK_END) == 0, 9);
}

static bool has_seccomp(void)
{
    struct confine_result result = {0};
    int status, pipe_fds[2];

    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        result = lock("/tmp", false);
        _exit(write(pipe_fds[1], &result, sizeof(result)) < 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(read(pipe_fds[0], &result, sizeof(result)), sizeof(result));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return result.has_seccomp;
}

START_TEST(what_only_an_intruder_does_ends_the_process)
{
    void (*const calls[])(const char *) = {call_socket, call_packet_socket, call_exec, call_ptrace, call_unshare};

    if (!has_seccomp() || (confine_is_wide() && _i > 1)) {
        printf("confine: skipped, built without seccomp, or for a sanitizer\n");
        return;
    }
    int status = in_child(calls[_i], "/tmp");
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

static void call_others(const char *folder)
{
    lock(folder, true);
    expect(fork() < 0 && errno == EPERM, 1);
    expect(syscall(SYS_mkdir, "/tmp/confine-folder", 0700) < 0, 2);
    expect(socket(AF_UNIX, SOCK_STREAM, 0) >= 0, 3); /* was asked for */
}

START_TEST(other_calls_fail_and_the_process_goes_on)
{
    if (!has_seccomp() || confine_is_wide()) {
        printf("confine: skipped, built without seccomp, or for a sanitizer\n");
        return;
    }
    ck_assert_int_eq(in_child(call_others, "/tmp"), 0);
}
END_TEST

START_TEST(files_that_are_read_and_other_processes_are_out_of_reach)
{
    char folder[32];

    if (confine_is_wide() || !has_seccomp())
        return;
    make_folder(folder);
    ck_assert_int_eq(in_child(harm_what_is_not_ours, folder), 0);
    remove_folder(folder);
}
END_TEST

static void become_nobody(const char *folder)
{
    struct err err = {0};

    (void)folder;
    expect(confine_become("65534", false, &err) == 0, 1);
    expect(getuid() == 65534 && geteuid() == 65534 && getegid() == 65534, 2);
    expect(status_has("\nGroups:\t \n") || status_has("\nGroups:\t\n"), 3);
    expect(status_has("\nCapBnd:\t0000000000000000\n") && status_has("\nCapEff:\t0000000000000000\n"), 4);
    expect(setuid(0) != 0, 5);
}

static void stay_root(const char *folder)
{
    const gid_t groups[] = {4, 20};

    expect(setgroups(2, groups) == 0, 1);
    lock(folder, false);
    expect(status_has("\nGroups:\t \n"), 2);
}

static void become_root_as_nobody(const char *folder)
{
    struct err err = {0};

    (void)folder;
    expect(setresuid(65534, 65534, 65534) == 0, 1);
    expect(confine_become("root", false, &err) == -EPERM && strstr(err.msg, "only root") != NULL, 2);
}

static void keep_files(const char *folder)
{
    struct err err = {0};

    (void)folder;
    expect(confine_become(NULL, true, &err) == 0, 1);
    expect(status_has("\nCapEff:\t0000000000000002\n"), 2); /* CAP_DAC_OVERRIDE */
}

START_TEST(root_becomes_another_user_with_no_way_back)
{
    struct err err = {0};

    ck_assert_int_eq(confine_become("no such user", false, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.msg, "no user 'no such user' to become"));
    if (geteuid() != 0) {
        printf("confine: skipped, only root becomes another user\n");
        return;
    }
    char folder[32];
    make_folder(folder);
    ck_assert_int_eq(in_child(stay_root, folder), 0);
    remove_folder(folder);
    ck_assert_int_eq(in_child(become_nobody, NULL), 0);
    ck_assert_int_eq(in_child(become_root_as_nobody, NULL), 0);
    ck_assert_int_eq(in_child(keep_files, NULL), 0);
}
END_TEST

static void read_a_pipe(const char *folder)
{
    char name[32], byte = 'x';
    const char *const readable[] = {name};
    struct confine_options o = {.write_folders = &folder, .n_write_folders = 1, .read_paths = readable, .n_read_paths = 1};
    struct confine_result result;
    int fds[2];

    expect(pipe(fds) == 0 && write(fds[1], &byte, 1) == 1, 1);
    snprintf(name, sizeof(name), "/dev/fd/%d", fds[0]);
    expect(confine_lock(&o, &result, NULL) == 0, 2);
    expect(read(fds[0], &byte, 1) == 1, 3);
}

START_TEST(a_pipe_may_be_among_the_inputs)
{
    ck_assert_int_eq(in_child(read_a_pipe, "/tmp"), 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    const char *const folders[] = {"/tmp/no/such/folder"};
    struct confine_result result;
    struct err err = {0};
    int status;
    pid_t child = fork();

    if (child == 0) {
        int rc = confine_lock(&(struct confine_options){.write_folders = folders, .n_write_folders = 1}, &result, &err);
        _exit(rc == 0 ? (result.landlock_abi == 0 ? 0 : 1) : rc != -ENOENT ? 2 : strncmp(err.msg, folders[0], 10) != 0 ? 3 : 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *suite_confine(void);
Suite *suite_confine(void)
{
    Suite *s = suite_create("confine");
    TCase *t = tcase_create("confine");

    tcase_add_test(t, the_process_says_that_its_rights_are_gone);
    tcase_add_test(t, files_are_made_in_the_folders_that_are_named_and_nowhere_else);
    tcase_add_loop_test(t, what_only_an_intruder_does_ends_the_process, 0, 5);
    tcase_add_test(t, other_calls_fail_and_the_process_goes_on);
    tcase_add_test(t, files_that_are_read_and_other_processes_are_out_of_reach);
    tcase_add_test(t, root_becomes_another_user_with_no_way_back);
    tcase_add_test(t, a_pipe_may_be_among_the_inputs);
    tcase_add_test(t, a_folder_that_is_not_there_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
