#include "postgres_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/xalloc.h"

enum { PATH_SIZE = 512, START_TRIES = 600, STOP_TRIES = 600, PAUSE_US = 50000 };

/* Of a server that lives: a busy machine may keep it silent for long. */
enum { SILENCE_MS = 60000 };

/* A test's own SQL waits for no lock for ever: it fails, and says what it was. */
#define SQL_OPTIONS "-c statement_timeout=120s"

struct postgres_server {
    char *directory;
    char data[PATH_SIZE];
    char programs[PATH_SIZE];
    char port[8];
    pid_t pid; /* 0: does not run */
    unsigned databases;
};

/* The directory of the newest version's programs, or false. */
static bool find_programs(char out[PATH_SIZE])
{
    glob_t found;
    bool any = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0;

    if (any) {
        snprintf(out, PATH_SIZE, "%s", found.gl_pathv[found.gl_pathc - 1]);
        *strrchr(out, '/') = '\0';
    }
    globfree(&found);
    return any;
}

static void take_free_port(struct postgres_server *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(p->port, sizeof(p->port), "%u", (unsigned)ntohs(address.sin_port));
    close(fd);
}

/* PostgreSQL refuses to run as root. */
static const struct passwd *other_user(void)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return NULL;
    user = getpwnam("postgres");
    if (!user)
        user = getpwnam("nobody");
    assert_non_null(user);
    return user;
}

/* Runs a program of PostgreSQL's, as another user where need be; what it says goes to a file. */
static pid_t run(struct postgres_server *p, char *const argv[])
{
    const struct passwd *user = other_user();
    char program[PATH_SIZE + 32];
    char log[PATH_SIZE];
    pid_t parent = getpid();
    pid_t pid;

    snprintf(program, sizeof(program), "%s/%s", p->programs, argv[0]);
    snprintf(log, sizeof(log), "%s/log", p->directory);
    pid = fork();
    if (pid != 0)
        return pid;
    if (user && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent || chdir(p->directory) != 0)
        _exit(125);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    dup2(1, 2);
    /* By its path: initdb looks for its neighbours where it was called from. */
    ((char **)argv)[0] = program;
    execv(program, argv);
    _exit(127);
}

static void run_to_end(struct postgres_server *p, char *const argv[])
{
    int status;

    assert_int_equal(waitpid(run(p, argv), &status, 0) > 0, 1);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s ended with %d; see %s/log", argv[0], status, p->directory);
}

void postgres_server_start(struct postgres_server *p)
{
    char connections[32];
    char conninfo[PATH_SIZE + 64];
    /* No fsync: what is tested is the end of processes, not of the machine. */
    char *argv[] = {"postgres",
                    "-D",
                    p->data,
                    "-k",
                    p->directory,
                    "-p",
                    p->port,
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "fsync=off",
                    "-c",
                    "shared_buffers=32MB",
                    "-c",
                    connections,
                    "-c",
                    "superuser_reserved_connections=3",
                    NULL};

    snprintf(connections, sizeof(connections), "max_connections=%d", POSTGRES_SERVER_CONNECTIONS);
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%s user=postgres dbname=postgres",
             p->directory, p->port);
    for (int i = 0; i < START_TRIES; i++) {
        if (p->pid == 0)
            p->pid = run(p, argv);
        if (PQping(conninfo) == PQPING_OK)
            return;
        usleep(PAUSE_US);
        /* After a kill, sessions that have not quite ended make it refuse to start. */
        if (waitpid(p->pid, NULL, WNOHANG) == p->pid)
            p->pid = 0;
    }
    fail_msg("PostgreSQL does not start; see %s/log", p->directory);
}

struct postgres_server *postgres_server_new(void)
{
    struct postgres_server *p = xcalloc(1, sizeof(*p));
    const struct passwd *user = other_user();
    char *initdb[] = {"initdb",
                      "-D",
                      p->data,
                      "-U",
                      "postgres",
                      "--auth-local=trust",
                      "--auth-host=scram-sha-256",
                      "-E",
                      "UTF8",
                      "--locale=C.UTF-8",
                      "--no-sync",
                      "--no-instructions",
                      NULL};

    if (!find_programs(p->programs)) {
        free(p);
        return NULL;
    }
    p->directory = temp_directory_new();
    if (user)
        assert_int_equal(chown(p->directory, user->pw_uid, user->pw_gid), 0);
    snprintf(p->data, sizeof(p->data), "%s/data", p->directory);
    run_to_end(p, initdb);
    take_free_port(p);
    postgres_server_start(p);
    free(postgres_server_sql(p, "postgres", "CREATE ROLE tester LOGIN PASSWORD 'sesame'"));
    return p;
}

/* ---- Signals ---- */

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (f) {
        if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
            parent = 0;
        fclose(f);
    }
    return parent;
}

/* Sends `signal` to the server and to each of its own processes. */
static void signal_all(struct postgres_server *p, int signal)
{
    pid_t children[256];
    size_t n = 0;
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    assert_non_null(proc);
    while ((entry = readdir(proc)) && n < 256) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid > 1 && parent_of(pid) == p->pid)
            children[n++] = pid;
    }
    closedir(proc);
    kill(p->pid, signal);
    while (n > 0)
        kill(children[--n], signal);
}

static void stop(struct postgres_server *p, int signal)
{
    if (p->pid == 0)
        return;
    kill(p->pid, SIGCONT);
    if (signal == SIGKILL)
        signal_all(p, SIGKILL);
    else
        kill(p->pid, signal);
    for (int i = 0; waitpid(p->pid, NULL, WNOHANG) == 0; i++) {
        if (i == STOP_TRIES)
            signal_all(p, SIGKILL);
        usleep(i == 0 ? 0 : PAUSE_US);
    }
    p->pid = 0;
}

void postgres_server_kill(struct postgres_server *p)
{
    stop(p, SIGKILL);
}

void postgres_server_freeze(struct postgres_server *p)
{
    signal_all(p, SIGSTOP);
}

void postgres_server_thaw(struct postgres_server *p)
{
    if (p->pid > 0)
        signal_all(p, SIGCONT);
}

void postgres_server_free(struct postgres_server *p)
{
    if (!p)
        return;
    stop(p, SIGQUIT);
    temp_directory_free(p->directory);
    free(p);
}

/* ---- SQL ---- */

PGconn *postgres_server_connect(struct postgres_server *p, const char *database)
{
    const char *keywords[] = {"host", "port", "user", "dbname", "options", NULL};
    const char *values[] = {p->directory, p->port, "postgres", database, SQL_OPTIONS, NULL};
    PGconn *c = PQconnectdbParams(keywords, values, 0);

    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("cannot connect: %s", PQerrorMessage(c));
    return c;
}

char *postgres_server_sql(struct postgres_server *p, const char *database, const char *sql)
{
    PGconn *c = postgres_server_connect(p, database);
    PGresult *result = PQexec(c, sql);
    char *value;

    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    value = xstrdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(c);
    return value;
}

char *postgres_server_database(struct postgres_server *p, const char *options)
{
    char name[32];
    char sql[256];

    snprintf(name, sizeof(name), "test%u", p->databases++);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s OWNER tester %s", name, options);
    free(postgres_server_sql(p, "postgres", sql));
    return xstrdup(name);
}

void postgres_server_drop(struct postgres_server *p, char *database)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", database);
    free(postgres_server_sql(p, "postgres", sql));
    free(database);
}

struct store_postgres_options postgres_server_options(struct postgres_server *p,
                                                      const char *database)
{
    return (struct store_postgres_options){.host = "127.0.0.1",
                                           .port = p->port,
                                           .name = database,
                                           .user = "tester",
                                           .password = "sesame",
                                           .silence_ms = SILENCE_MS};
}
