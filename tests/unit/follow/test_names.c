#include "follow/names.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "follow/stem.h"

enum { FAMILY_MAX = 4096 };

static struct names *names_of(const char *const *given, int len)
{
    struct errbuf err = ERRBUF_INIT;
    struct names *n = names_new(given, len, NULL, 0, &err);

    if (!n)
        print_error("%s\n", err.text);
    assert_non_null(n);
    return n;
}

static void assert_family(const struct names *n, const char *path, const char *expected)
{
    char memory[FAMILY_MAX];
    struct buffer family;

    buffer_init_over(&family, memory, sizeof(memory) - 1);
    names_family(n, path, &family);
    memory[family.len] = '\0';
    if (strcmp(memory, expected) != 0)
        print_error("family of %s\n", path);
    assert_string_equal(memory, expected);
}

/* ---- What loggers do, one after the other ---- */

struct logger {
    const char *name;
    const char *live;   /* given as FILE */
    const char *family; /* of its files, where a pattern has found them */
    /* Names, ended by NULL: what the live file becomes, and other files of the pattern's family. */
    const char *siblings[8];
    const char *relatives[8];
};

static const struct logger LOGGERS[] = {
    {"logrotate", "app.log", "app.log", {"app.log.1", "app.log.2.gz", "app.log.10.xz"}, {NULL}},
    {"logrotate dateext",
     "app.log",
     "app.log",
     {"app.log-20261128", "app.log-20261128.gz", "app.log-2026112810", "app.log-1764324000",
      "app.log-2026-11-28.zst", "app.log-20261128.1"},
     {NULL}},
    {"logrotate extension",
     "app.log",
     "app.log",
     {"app.1.log", "app.2.log.gz", "app-20261128.log", "app-20261128.log.gz"},
     {NULL}},
    {"logrotate olddir",
     "app.log",
     "app.log",
     {"old/app.log.1", "old/app.log.2.gz", "archive/app.log-20261128", "old/app.log"},
     {NULL}},
    {"logrotate, no ending",
     "syslog",
     "syslog",
     {"syslog.1", "syslog.2.gz", "syslog-20261128"},
     {NULL}},
    {"Python RotatingFileHandler", "app.log", "app.log", {"app.log.1", "app.log.12"}, {NULL}},
    {"Python TimedRotatingFileHandler",
     "app.log",
     "app.log",
     {"app.log.2026-11-28", "app.log.2026-11-28_10", "app.log.2026-11-28_10-00-00"},
     {NULL}},
    {"loguru",
     "app.log",
     "app.log",
     {"app.2026-11-28_10-00-00_123456.log", "app.2026-11-28_10-00-00_123456.log.gz",
      "app.2026-11-28_10-00-00_123456.2.log"},
     {NULL}},
    {"concurrent-log-handler", "app.log", "app.log", {"app.log.1.gz", "app.log.2"}, {NULL}},
    {"winston-daily-rotate-file",
     "app-2026-11-28.log",
     "app.log",
     {"app-2026-11-28.log.1", "app-2026-11-28.log.gz", "app-2026-11-28.log.2.gz"},
     {"app-2026-11-27.log", "app-2026-11-29.log.3", "app-2026-11-27-10.log.gz"}},
    {"pino-roll",
     "app.1.log",
     "app.log",
     {NULL},
     {"app.2.log", "app.1234.log", "app.2026-11-28.3.log"}},
    {"rotating-file-stream",
     "app.log",
     "app.log",
     {"20261128-1000-01-app.log", "20261128-1000-02-app.log.gz"},
     {NULL}},
    {"file-stream-rotator",
     "app.2026-11-28.log",
     "app.log",
     {"app.2026-11-28.log.1", "app.2026-11-28.1.log"},
     {"app.2026-11-29.log", "app.2026-11-29.log.7"}},
    {"logback",
     "app.log",
     "app.log",
     {"app.2026-11-28.log", "app.2026-11-28.0.log.gz", "app.2026-11-28.12.log", "app.2026-11.log",
      "app.log.2026-11-28.0.gz", "app.1.log.gz", "archived/app-2026-11-28.1.log.gz"},
     {NULL}},
    {"log4j2",
     "app.log",
     "app.log",
     {"app-11-28-2026-1.log.gz", "app-11-28-2026-1.log", "app-1.log.gz",
      "2026-11/app-11-28-2026-1.log.gz", "app-2026-11-28-2.log.zst"},
     {NULL}},
    {"log4j2 direct write",
     "app-11-28-2026-1.log",
     "app.log",
     {"app-11-28-2026-1.log.gz"},
     {"app-11-28-2026-2.log", "app-11-29-2026-1.log.gz"}},
    {"lumberjack",
     "app.log",
     "app.log",
     {"app-2026-11-28T10-00-00.000.log", "app-2026-11-28T10-00-00.000.log.gz"},
     {NULL}},
    {"timberjack",
     "app.log",
     "app.log",
     {"app-2026-11-28T10-00-00.000-size.log", "app-2026-11-28T10-00-00.000-time.log.gz",
      "app-2026-11-28T10-00-00.000.log.zst"},
     {NULL}},
    {"tracing-appender",
     "prefix.2026-11-28-10",
     "prefix",
     {NULL},
     {"prefix.2026-11-28-11", "prefix.2026-11-28", "prefix.2026-11-28-11-05"}},
    {"tracing-appender, suffix",
     "prefix.2026-11-28-10.log",
     "prefix.log",
     {NULL},
     {"prefix.2026-11-28-11.log"}},
    {"flexi_logger",
     "x_rCURRENT.log",
     "x.log",
     {"x_r00000.log", "x_r00001.log.gz", "x_r2026-11-28_10-00-00.log"},
     {"x_r00002.log"}},
    {"file-rotate",
     "app.log",
     "app.log",
     {"app.log.1", "app.log.2.gz", "app.log.20261128T100000", "app.log.20261128T100000.1"},
     {NULL}},
    {"log4rs", "app.log", "app.log", {"app.0.log.gz", "app.1.log", "app.log.0.gz"}, {NULL}},
    {"svlogd",
     "main/current",
     "main/current",
     {"main/@40000000692a1b2c1234abcd.s", "main/@40000000692a1b2c1234abcd.u"},
     {NULL}},
    {"s6-log and multilog",
     "main/current",
     "main/current",
     {"main/previous", "main/@40000000692a1b2c1234abcd.s", "main/@40000000692a1b2c1234abcd"},
     {NULL}},
    {"rotatelogs",
     "access.1764324000",
     "access",
     {"access.1764324000.1"},
     {"access.1764327600", "access.2026.11.28.10"}},
    {"rotatelogs -n", "app.log", "app.log", {"app.log.1", "app.log.2"}, {NULL}},
    {"cronolog", "access_log", "access_log", {NULL}, {"access_log.20261128", "access_log.2026-11"}},
    {"cronolog, folders",
     "2026/11/28/access.log",
     "access.log",
     {"2026/11/28/access.log.gz"},
     {"2026/11/29/access.log", "2026/12/01/access.log.gz"}},
    {"nginx", "access.log", "access.log", {"access.log.1", "access.log.0.gz"}, {NULL}},
    {"PostgreSQL",
     "postgresql-2026-11-28_000000.log",
     "postgresql.log",
     {NULL},
     {"postgresql-2026-11-28_100000.log", "postgresql-Sat.log"}},
    {"PostgreSQL of Debian",
     "postgresql-15-main.log",
     "postgresql-15-main.log",
     {"postgresql-15-main.log.1", "postgresql-15-main.log.2.gz"},
     {NULL}},
    {"supervisor",
     "app-stdout---supervisor-x1y2z3.log",
     "app-stdout---supervisor-x1y2z3.log",
     {"app-stdout---supervisor-x1y2z3.log.1"},
     {NULL}},
    {"pm2-logrotate",
     "app-out.log",
     "app-out.log",
     {"app-out__2026-11-28_10-00-00.log", "app-out__2026-11-28_10-00-00.log.gz"},
     {NULL}},
    {"Docker",
     "4f5e6d7c8b9a-json.log",
     "4f5e6d7c8b9a-json.log",
     {"4f5e6d7c8b9a-json.log.1", "4f5e6d7c8b9a-json.log.1.gz"},
     {NULL}},
    {"kubelet", "0.log", ".log", {"0.log.20261128-100000", "0.log.20261128-100000.gz"}, {"1.log"}},
    {"dates of two digits",
     "app.log",
     "app.log",
     {"app-26-11-28.log", "app.log.26-11-28.gz"},
     {NULL}},
    {"milliseconds in one piece", "app.log", "app.log", {"app20261128100000123.log"}, {NULL}},
    {"seconds since 1970", "app-1764324000.log", "app.log", {NULL}, {"app-1764327600.log"}},
    {"a date in front", "app-1.log", "app-1.log", {"20261128-app-1.log"}, {NULL}},
    {"Serilog",
     "log20261128.txt",
     "log.txt",
     {"log20261128_001.txt"},
     {"log20261129.txt", "log20261129_002.txt"}},
    {"glog",
     "app.host1.me.log.INFO.20261128-100000.1234",
     "app.host1.me.log.INFO",
     {NULL},
     {"app.host1.me.log.INFO.20261129-110000.777"}},
    {"scripts", "app.log", "app.log", {"app.log.old", "app.log.bak", "app.old.log"}, {NULL}},
};

enum { LOGGERS_LEN = sizeof(LOGGERS) / sizeof(*LOGGERS) };

static const char *at(const char *name, char *path)
{
    snprintf(path, PATH_MAX, "/var/log/x/%s", name);
    return path;
}

static void a_file_and_what_it_became_are_one_family(void **state)
{
    for (int i = 0; i < LOGGERS_LEN; i++) {
        const struct logger *l = &LOGGERS[i];
        char live[PATH_MAX], path[PATH_MAX];
        const char *given = at(l->live, live);
        struct names *n = names_of(&given, 1);
        int pattern;
        bool is_exact;

        assert_int_equal(names_kind(n, live, false, &pattern, &is_exact), NAME_LIVE);
        assert_true(is_exact);
        assert_family(n, live, live);
        for (int k = 0; l->siblings[k]; k++) {
            at(l->siblings[k], path);
            if (names_kind(n, path, false, &pattern, &is_exact) != NAME_SIBLING ||
                !names_is_sibling(live, path))
                fail_msg("%s: %s is no sibling", l->name, path);
            assert_int_equal(pattern, 0);
            assert_true(is_exact);
            assert_family(n, path, live);
            assert_false(names_is_sibling(path, live));
        }
        names_free(n);
    }
}

static void what_a_pattern_has_found_is_of_the_family_of_its_logger(void **state)
{
    const char *given = "/var/log/**/*";
    struct names *n = names_of(&given, 1);

    for (int i = 0; i < LOGGERS_LEN; i++) {
        const struct logger *l = &LOGGERS[i];
        char family[PATH_MAX], path[PATH_MAX];

        at(l->family, family);
        assert_family(n, at(l->live, path), family);
        for (int k = 0; l->siblings[k]; k++)
            assert_family(n, at(l->siblings[k], path), family);
        for (int k = 0; l->relatives[k]; k++)
            assert_family(n, at(l->relatives[k], path), family);
    }
    names_free(n);
}

/* ---- Applications of one folder ---- */

static void names_of_different_applications_are_different_families(void **state)
{
    static const char *const apart[][2] = {
        {"app.log", "app-error.log"},
        {"app.log", "app2.log"},
        {"app2.log.1", "app3.log.1"},
        {"access.log", "access_api.log"},
        {"access.log", "access.log.json"},
        {"app.log", "app.json"},
        {"app.log", "myapp.log"},
        {"app.log", "apps.log.1"},
        {"app-2026-11-28.log", "app-error-2026-11-28.log"},
        {"app-2026-11-28.log", "app-2026-11-28.json"},
        {"2026-11-28.app.log", "2026-11-28.api.log"},
        {"app-out.log", "app-error.log"},
        {"app-out__2026-11-28_10-00-00.log", "app-error__2026-11-28_10-00-00.log"},
        {"postgresql-14-main.log", "postgresql-15-main.log.1"},
        {"postgresql-14-main-2026-11-28.log", "postgresql-15-main-2026-11-28.log"},
        {"worker-1.log", "worker-2.log"},
        {"worker-1.log.1", "worker-2.log.1"},
        {"worker-1-2026-11-28.log", "worker-2-2026-11-28.log"},
        {"worker.1.2026-11-28.log", "worker.2.2026-11-28.log"},
        {"redis-6379.log", "redis-6380.log"},
        {"redis-6379.log.1.gz", "redis-6380.log.1.gz"},
        {"redis-6379-20261128.log", "redis-6380-20261128.log"},
        {"10.0.0.1.log", "10.0.0.2.log"},
        {"10.0.0.1.log.1", "10.0.0.2.log.1"},
        {"host-10.0.0.1-2026-11-28.log", "host-10.0.0.2-2026-11-28.log"},
        {"ip-10-0-0-1.log", "ip-10-0-0-2.log"},
        {"php8.1-fpm.log", "php8.2-fpm.log"},
        {"ceph-mon.log", "ceph.log"},
        {"ceph-mon.a.log", "ceph-osd.a.log"},
        {"app@1.log", "app@2.log"},
        {"a.host1.me.log.INFO.20261128-100000.1", "a.host1.me.log.ERROR.20261128-100000.1"},
        {"pod-7d9f-x1_ns_app-0123456789ab.log", "pod-7d9f-x2_ns_app-0123456789ac.log"},
        {"customer/123456789/app.log", "customer/987654321/app.log"},
        {"1/app.log", "2/app.log"},
        {"user-123456789-app.log", "user-987654321-app.log"},
        {"a/app.log", "b/app.log"},
    };
    const char *given = "/var/log/**/*";
    struct names *n = names_of(&given, 1);

    for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
        char one[PATH_MAX], other[PATH_MAX], memory[2][FAMILY_MAX];
        struct buffer family[2];

        for (int k = 0; k < 2; k++)
            buffer_init_over(&family[k], memory[k], FAMILY_MAX);
        names_family(n, at(apart[i][0], one), &family[0]);
        names_family(n, at(apart[i][1], other), &family[1]);
        if (slice_equal(buffer_slice(&family[0]), buffer_slice(&family[1])))
            fail_msg("%s and %s are one family", one, other);
        assert_false(names_is_sibling(one, other));
        assert_false(names_is_sibling(other, one));
    }
    names_free(n);
}

static void nothing_was_taken_from_a_siblings_name(void **state)
{
    static const char *const others[][2] = {
        {"app-1.log", "app-2.log"},
        {"app-1.log", "app-2.log.1"},
        {"app-1.log", "app-2.log.1.gz"},
        {"app-1.log", "app.log"},
        {"app-1.log", "app.log.1"},
        {"app-2026-11-28.log", "app-2026-11-27.log"},
        {"app-2026-11-28.log", "app-2026-11-27.log.gz"},
        {"app.log", "app.log"},
        {"app.log", "app-error-2026-11-28.log"},
        {"app.log", "app2.log.1"},
        {"error.log", "app-error.log.1"},
        {"app.log", "app.log.rotate.1234567890123456789"},
        {"app.log", "app.log1764324000123456789.tmp"},
        {"app.log", "app-2026-11-28T10-00-00.000.log.gz.tmp"},
        {"app.log", "app.log.1.bz2"},
        {"app.log", "app.log.lock"},
        {"app.log", "other/app.log.1"},
        {"app.log", "old/old/app.log.1"},
        {"old/app.log", "app.log.1"},
        {"current", "@40000000692a1b2c1234abcd.t"},
        {"current", "current2"},
        {"current", "@4000.s"},
        {"1.log", "2.log"},
        {"app.log", "app-.log"},
        {"10.0.0.log", "10.0.0.1.log"},
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char live[PATH_MAX], path[PATH_MAX];

        if (names_is_sibling(at(others[i][0], live), at(others[i][1], path)))
            fail_msg("%s is a sibling of %s", path, live);
    }
}

static void the_nearest_of_several_files_has_the_sibling(void **state)
{
    static const char *const given[] = {"/l/app.log", "/l/app-1.log", "/l/app-2.log"};
    struct names *n = names_of(given, 3);

    assert_family(n, "/l/app.log.1", "/l/app.log");
    assert_family(n, "/l/app-1.log.1", "/l/app-1.log");
    assert_family(n, "/l/app-2.log.1.gz", "/l/app-2.log");
    assert_family(n, "/l/app-1-20261128.log", "/l/app-1.log");
    assert_family(n, "/l/app-3.log.gz", "/l/app.log");
    assert_family(n, "/l/app-1.log", "/l/app-1.log");
    names_free(n);
}

/* ---- Kinds ---- */

struct kind_case {
    const char *path;
    enum name_kind kind;
    int pattern;
    bool is_exact;
};

static void assert_kinds(const struct names *n, bool is_folder, const struct kind_case *cases,
                         size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int pattern;
        bool is_exact;
        enum name_kind kind = names_kind(n, cases[i].path, is_folder, &pattern, &is_exact);

        if (kind != cases[i].kind)
            fail_msg("%s is a %d", cases[i].path, kind);
        if (kind == NAME_LIVE || kind == NAME_SIBLING) {
            if (pattern != cases[i].pattern)
                fail_msg("%s is of %d", cases[i].path, pattern);
            assert_int_equal(is_exact, cases[i].is_exact);
        }
    }
}

#define ASSERT_KINDS(n, is_folder, cases)                                                          \
    assert_kinds(n, is_folder, cases, sizeof(cases) / sizeof(*(cases)))

static void patterns_find_files_their_siblings_and_their_folders(void **state)
{
    static const char *const given[] = {"/srv/*/log/app-*.log", "/var/log/app.log", "/v/**/*.json",
                                        "/s/*/current"};
    static const struct kind_case files[] = {
        {"/srv/a/log/app-2026-11-28.log", NAME_LIVE, 0, false},
        {"/srv/a/log/app-x.log", NAME_LIVE, 0, false},
        {"/srv/a/log/app-2026-11-28.log.1", NAME_SIBLING, 0, false},
        {"/srv/a/log/app-2026-11-28.log.2.gz", NAME_SIBLING, 0, false},
        {"/srv/a/log/old/app-x.log.1", NAME_SIBLING, 0, false},
        {"/srv/a/log/app.log", NAME_NONE, 0, false},
        {"/srv/a/b/log/app-x.log", NAME_NONE, 0, false},
        {"/srv/.a/log/app-x.log", NAME_NONE, 0, false},
        {"/srv/log/app-x.log", NAME_NONE, 0, false},
        {"/srvx/a/log/app-x.log", NAME_NONE, 0, false},
        {"/var/log/app.log", NAME_LIVE, 1, true},
        {"/var/log/app.log.1", NAME_SIBLING, 1, true},
        {"/var/log/app-error.log", NAME_NONE, 0, false},
        {"/var/log/x/app.log", NAME_NONE, 0, false},
        {"/v/x.json", NAME_LIVE, 2, false},
        {"/v/a/b/c/x.json", NAME_LIVE, 2, false},
        {"/v/a/b/c/x.json.gz", NAME_SIBLING, 2, false},
        {"/v/a/.b/c/x.json", NAME_NONE, 0, false},
        {"/v/.x.json", NAME_NONE, 0, false},
        {"/v/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/x.json", NAME_LIVE, 2, false},
        {"/v/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/x.json", NAME_NONE, 0, false},
        {"/s/main/current", NAME_LIVE, 3, false},
        {"/s/main/@40000000692a1b2c1234abcd.s", NAME_SIBLING, 3, false},
        {"/s/main/previous", NAME_SIBLING, 3, false},
        {"/s/main/state", NAME_NONE, 0, false},
    };
    static const struct kind_case folders[] = {
        {"/srv", NAME_FOLDER, 0, false},
        {"/srv/a", NAME_FOLDER, 0, false},
        {"/srv/a/log", NAME_FOLDER, 0, false},
        {"/srv/a/log/old", NAME_FOLDER, 0, false},
        {"/srv/a/lib", NAME_NONE, 0, false},
        {"/srv/a/log/sub", NAME_NONE, 0, false},
        {"/srv/a/log/app-x.log", NAME_NONE, 0, false},
        {"/var/log", NAME_FOLDER, 0, false},
        {"/var/log/archive", NAME_FOLDER, 0, false},
        {"/var/log/2026", NAME_FOLDER, 0, false},
        {"/var/log/2026/11", NAME_FOLDER, 0, false},
        {"/var/log/nginx", NAME_NONE, 0, false},
        {"/var", NAME_NONE, 0, false},
        {"/v", NAME_FOLDER, 0, false},
        {"/v/a/b/c", NAME_FOLDER, 0, false},
        {"/v/a/.git", NAME_NONE, 0, false},
        {"/v/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", NAME_FOLDER, 0, false},
        {"/v/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", NAME_NONE, 0, false},
    };
    struct names *n = names_of(given, 4);

    ASSERT_KINDS(n, false, files);
    ASSERT_KINDS(n, true, folders);
    names_free(n);
}

static void a_folder_is_all_that_can_be_a_log_in_it(void **state)
{
    char *dir = temp_directory_new();
    const char *given[] = {dir, "/not/there/"};
    static const struct {
        const char *name;
        enum name_kind kind;
    } cases[] = {
        {"app.log", NAME_LIVE},
        {"app.log.1", NAME_LIVE},
        {"app.log.2.gz", NAME_SIBLING},
        {"messages", NAME_LIVE},
        {"a/b/c.txt", NAME_LIVE},
        {".hidden", NAME_NONE},
        {".d/app.log", NAME_NONE},
        {".0123456789abcdef-audit.json", NAME_NONE},
        {"audit.json", NAME_NONE},
        {".__app.lock", NAME_NONE},
        {"app.log.lock", NAME_NONE},
        {"x.tmp", NAME_NONE},
        {"app-2026-11-28T10-00-00.000.log.gz.tmp", NAME_NONE},
        {".app.log.swp", NAME_NONE},
        {"app.log~", NAME_NONE},
        {"app.log.rotate.1234567890123456789", NAME_NONE},
        {"app.log.rotate.1234567890123456789.gz", NAME_NONE},
        {"app.log1764324000123456789.tmp", NAME_NONE},
        {"@40000000692a1b2c1234abcd.t", NAME_NONE},
        {"@40000000692a1b2c1234abcd.u", NAME_LIVE},
        {"state", NAME_NONE},
        {"lock", NAME_NONE},
        {"config", NAME_NONE},
        {"wtmp", NAME_NONE},
        {"btmp.1", NAME_NONE},
        {"system.journal", NAME_NONE},
        {"app.log.1.bz2", NAME_NONE},
        {"app.log.zip", NAME_NONE},
        {"app.tar.gz", NAME_NONE},
        {"nginx.pid", NAME_NONE},
    };
    struct names *n = names_of(given, 2);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char path[PATH_MAX];
        int pattern;
        bool is_exact;

        snprintf(path, sizeof(path), "%s/%s", dir, cases[i].name);
        if (names_kind(n, path, false, &pattern, &is_exact) != cases[i].kind)
            fail_msg("%s is not %d", cases[i].name, cases[i].kind);
    }
    static const struct kind_case later[] = {{"/not/there/app.log", NAME_LIVE, 1, false}};
    static const struct kind_case folder[] = {{"/not/there", NAME_FOLDER, 1, false},
                                              {"/not/there/a", NAME_FOLDER, 1, false}};

    ASSERT_KINDS(n, false, later);
    ASSERT_KINDS(n, true, folder);
    names_free(n);
    temp_directory_free(dir);
}

static void a_file_or_a_pattern_may_be_called_as_it_likes(void **state)
{
    static const char *const given[] = {"/l/app.tmp", "/l/*.swp", "/l/audit.json", "/l/*.gz",
                                        "/l/x/wtmp"};
    static const struct kind_case files[] = {
        {"/l/app.tmp", NAME_LIVE, 0, true},    {"/l/app2.tmp", NAME_NONE, 0, false},
        {"/l/app.swp", NAME_LIVE, 1, false},   {"/l/audit.json", NAME_LIVE, 2, true},
        {"/l/app.gz", NAME_SIBLING, 3, false}, {"/l/x/wtmp", NAME_LIVE, 4, true},
        {"/l/x/btmp", NAME_NONE, 0, false},
    };
    struct names *n = names_of(given, 5);

    ASSERT_KINDS(n, false, files);
    names_free(n);
}

static void what_is_excluded_is_never_meant(void **state)
{
    static const char *const given[] = {"/l/*.log", "/l/debug.log", "/m/"};
    static const char *const excluded[] = {"debug*", "*.1", "sub/*.log", "/m/big", "node_modules/"};
    static const struct kind_case files[] = {
        {"/l/app.log", NAME_LIVE, 0, false},      {"/l/debug.log", NAME_NONE, 0, false},
        {"/l/debug2.log", NAME_NONE, 0, false},   {"/l/app.log.1", NAME_NONE, 0, false},
        {"/l/app.log.2", NAME_SIBLING, 0, false}, {"/m/a/app.log", NAME_LIVE, 2, false},
        {"/m/sub/app.log", NAME_NONE, 0, false},  {"/m/sub/app.txt", NAME_LIVE, 2, false},
    };
    static const struct kind_case folders[] = {
        {"/m/a", NAME_FOLDER, 0, false},
        {"/m/big", NAME_NONE, 0, false},
        {"/m/a/node_modules", NAME_NONE, 0, false},
    };
    struct errbuf err = ERRBUF_INIT;
    struct names *n = names_new(given, 3, excluded, 5, &err);

    assert_non_null(n);
    ASSERT_KINDS(n, false, files);
    ASSERT_KINDS(n, true, folders);
    names_free(n);
}

/* ---- Links ---- */

static void what_a_link_leads_to_is_of_its_family(void **state)
{
    static const char *const given[] = {"/l/current.log", "/k/containers/*.log"};
    static const struct kind_case before[] = {{"/l/app.5.log", NAME_NONE, 0, false}};
    static const struct kind_case files[] = {
        {"/l/app.5.log", NAME_SIBLING, 0, true},
        {"/l/app.4.log.gz", NAME_SIBLING, 0, true},
        {"/l/api.4.log", NAME_NONE, 0, false},
        {"/l/current.log", NAME_LIVE, 0, true},
        {"/k/pods/p/c/0.log.20261128-100000.gz", NAME_SIBLING, 1, false},
        {"/k/pods/q/c/0.log.20261128-100000.gz", NAME_NONE, 0, false},
    };
    struct names *n = names_of(given, 2);

    ASSERT_KINDS(n, false, before);
    names_set_target(n, "/l/current.log", "/l/app.3.log");
    names_set_target(n, "/l/current.log", "/l/app.4.log");
    names_set_target(n, "/k/containers/p.log", "/k/pods/p/c/0.log");
    ASSERT_KINDS(n, false, files);
    assert_family(n, "/l/app.5.log", "/l/current.log");
    assert_family(n, "/l/current.log", "/l/current.log");
    assert_family(n, "/k/pods/p/c/1.log", "/k/containers/p.log");
    names_set_target(n, "/l/current.log", NULL);
    ASSERT_KINDS(n, false, before);
    names_free(n);
}

static void links_to_one_family_come_and_go(void **state)
{
    enum { LINKS = 100 };
    const char *given = "/k/*.log";
    struct names *n = names_of(&given, 1);
    char link[64];
    int pattern;
    bool is_exact;

    for (int i = 0; i < LINKS; i++) {
        snprintf(link, sizeof(link), "/k/%dx.log", i);
        names_set_target(n, link, i % 2 ? "/t/app.1.log" : "/t/b/app.1.log");
    }
    for (int i = 0; i < LINKS; i++) {
        int k = i * 37 % LINKS; /* in another order */

        assert_int_equal(names_kind(n, "/t/app.2.log", false, &pattern, &is_exact), NAME_SIBLING);
        snprintf(link, sizeof(link), "/k/%dx.log", k == 99 ? 0 : k == 0 ? 99 : k);
        names_set_target(n, link, NULL);
        if (i == LINKS - 2)
            break;
        names_set_target(n, "/k/0x.log", "/t/app.9.log");
    }
    names_set_target(n, "/k/0x.log", NULL);
    for (int i = 0; i < LINKS; i++) {
        snprintf(link, sizeof(link), "/k/%dx.log", i);
        names_set_target(n, link, NULL);
    }
    assert_int_equal(names_kind(n, "/t/app.2.log", false, &pattern, &is_exact), NAME_NONE);
    assert_int_equal(names_kind(n, "/t/b/app.2.log", false, &pattern, &is_exact), NAME_NONE);
    names_free(n);
}

/* ---- What is given ---- */

struct told {
    char folders[8][PATH_MAX];
    int len;
};

static void tell(const char *path, void *ctx)
{
    struct told *t = ctx;

    snprintf(t->folders[t->len++], PATH_MAX, "%s", path);
}

static void the_folders_to_watch_are_the_fixed_beginnings(void **state)
{
    static const char *const given[] = {"/a/x.log", "/a/*.log", "/b/c/*/d/*.log",
                                        "/e/f/",    "/z.log",   "/a/y.log"};
    struct names *n = names_of(given, 6);
    struct told t = {.len = 0};

    names_folders(n, tell, &t);
    assert_int_equal(t.len, 7);
    assert_string_equal(t.folders[0], "/a");
    assert_string_equal(t.folders[1], "/b/c");
    assert_string_equal(t.folders[2], "/e/f");
    assert_string_equal(t.folders[3], "/");
    assert_string_equal(t.folders[4], "/a/x.log"); /* what is not there may become a folder */
    assert_string_equal(t.folders[5], "/z.log");
    assert_string_equal(t.folders[6], "/a/y.log");
    names_free(n);
}

static void paths_are_made_absolute(void **state)
{
    char *dir = temp_directory_new();
    char cwd[PATH_MAX], link[PATH_MAX];

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("sub", 0700), 0);
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("sub", link), 0);
    static const char *const given[] = {"a.log", "./sub//b.log", "sub/../c.log", "link/../d.log",
                                        "sub",   "p[1].log",     "q[1].log"};
    int fd = open("p[1].log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
    struct names *n = names_of(given, 7);
    static const char *const files[] = {"a.log", "sub/b.log", "c.log", "link/../d.log", "p[1].log"};
    char path[PATH_MAX];
    int pattern;
    bool is_exact;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        assert_int_equal(names_kind(n, path, false, &pattern, &is_exact), NAME_LIVE);
        assert_true(is_exact);
    }
    snprintf(path, sizeof(path), "%s/sub/any", dir);
    assert_int_equal(names_kind(n, path, false, &pattern, &is_exact), NAME_LIVE);
    assert_int_equal(pattern, 4);
    snprintf(path, sizeof(path), "%s/q1.log", dir); /* a pattern: there is no such file */
    assert_int_equal(names_kind(n, path, false, &pattern, &is_exact), NAME_LIVE);
    assert_int_equal(pattern, 6);
    names_free(n);
    assert_int_equal(chdir(cwd), 0);
    temp_directory_free(dir);
}

static void what_cannot_be_understood_is_refused(void **state)
{
    static const char *const bad[] = {"", "/a/*/../b"};
    struct errbuf err = ERRBUF_INIT;
    char *deep = malloc(2 * PATH_MAX);

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_null(names_new(&bad[i], 1, NULL, 0, &err));
        assert_int_not_equal(err.text[0], '\0');
    }
    memset(deep, 'a', PATH_MAX);
    deep[0] = '/';
    deep[PATH_MAX] = '\0';
    assert_null(names_new((const char *const *)&deep, 1, NULL, 0, &err));
    for (int i = 0; i < 128; i++)
        deep[i] = i % 2 ? '*' : '/';
    deep[128] = '\0';
    assert_null(names_new((const char *const *)&deep, 1, NULL, 0, &err));
    free(deep);
    const char **many = calloc(NAMES_PATTERNS_MAX + 1, sizeof(*many));

    for (int i = 0; i <= NAMES_PATTERNS_MAX; i++)
        many[i] = "/a/*.log";
    assert_null(names_new(many, NAMES_PATTERNS_MAX + 1, NULL, 0, &err));
    struct names *n = names_new(many, NAMES_PATTERNS_MAX, NULL, 0, &err);

    assert_non_null(n);
    names_free(n);
    free(many);
}

static void many_files_are_found_at_once(void **state)
{
    enum { FILES = 20000 };
    char(*paths)[32] = malloc(FILES * sizeof(*paths));
    const char **given = malloc(FILES * sizeof(*given));
    int pattern;
    bool is_exact;
    char path[64];

    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof(*paths), "/d%d/app%d.log", i % 100, i);
        given[i] = paths[i];
    }
    struct names *n = names_of(given, FILES);

    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s.%d.gz", paths[i], i);
        assert_int_equal(names_kind(n, path, false, &pattern, &is_exact), NAME_SIBLING);
        assert_int_equal(pattern, i);
    }
    names_free(n);
    free(given);
    free(paths);
}

static void no_name_is_too_odd(void **state)
{
    static const char *const odd[] = {
        "",       ".",  "-",       "...",  "1",    "1.2.3.4.5.6.7.8", ".gz",        ".log",
        "@",      "T",  "1T2T3T",  "2026", "-1-",  "..1..",           "Z",          "2026Z",
        "r00000", "_r", "_r00000", "old",  ".old", "a.old.old",       "W1.2026-W1", "\xff\xfe-1"};
    const char *given = "/d/*";
    struct names *n = names_of(&given, 1);
    char path[PATH_MAX], name[STEM_NAME_MAX + 46];
    int pattern;
    bool is_exact;
    char memory[FAMILY_MAX];
    struct buffer family;

    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        snprintf(path, sizeof(path), "/d/%s", odd[i]);
        names_kind(n, path, false, &pattern, &is_exact);
        buffer_init_over(&family, memory, sizeof(memory));
        names_family(n, path, &family);
        names_is_sibling(path, "/d/a.1");
        names_is_sibling("/d/a", path);
    }
    for (size_t len = STEM_NAME_MAX - 40; len < sizeof(name); len++) {
        for (size_t i = 0; i < len; i++)
            name[i] = i % 2 ? '-' : (char)('0' + i % 10);
        name[len] = '\0';
        snprintf(path, sizeof(path), "/d/%s", name);
        names_kind(n, path, false, &pattern, &is_exact);
        buffer_init_over(&family, memory, sizeof(memory));
        names_family(n, path, &family);
        names_is_sibling("/d/a", path);
    }
    names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_and_what_it_became_are_one_family),
        cmocka_unit_test(what_a_pattern_has_found_is_of_the_family_of_its_logger),
        cmocka_unit_test(names_of_different_applications_are_different_families),
        cmocka_unit_test(nothing_was_taken_from_a_siblings_name),
        cmocka_unit_test(the_nearest_of_several_files_has_the_sibling),
        cmocka_unit_test(patterns_find_files_their_siblings_and_their_folders),
        cmocka_unit_test(a_folder_is_all_that_can_be_a_log_in_it),
        cmocka_unit_test(a_file_or_a_pattern_may_be_called_as_it_likes),
        cmocka_unit_test(what_is_excluded_is_never_meant),
        cmocka_unit_test(what_a_link_leads_to_is_of_its_family),
        cmocka_unit_test(links_to_one_family_come_and_go),
        cmocka_unit_test(the_folders_to_watch_are_the_fixed_beginnings),
        cmocka_unit_test(paths_are_made_absolute),
        cmocka_unit_test(what_cannot_be_understood_is_refused),
        cmocka_unit_test(many_files_are_found_at_once),
        cmocka_unit_test(no_name_is_too_odd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
