#include "program/backup.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "diag/diag.h"
#include "program/backup_archive.h"
#include "program/command.h"
#include "program/data_dir.h"
#include "program/ports.h"
#include "sqlite/db.h"
#include "sqlite/snapshot.h"

/* In the order in which they are copied: backup.h says why. */
static const char *const files[] = {"queue.db", "logs.db"};

enum { QUEUE, STORE, FILES_LEN };

static bool is_ours(const struct config *config, int file)
{
    return file == QUEUE ? ports_queue_is_embedded(config) : ports_store_is_embedded(config);
}

static int one_file(const char *command, char **args, int args_len)
{
    if (args_len == 1)
        return 0;
    if (args_len == 0)
        fprintf(stderr, "logmill: %s: FILE is missing: `logmill %s FILE`\n", command, command);
    else
        fprintf(stderr, "logmill: %s: \"%s\": one FILE is expected, and flags are --name value\n",
                command, args[1]);
    return COMMAND_USAGE;
}

/* ---- backup ---- */

static const char in_the_cloud[] =
    "backup copies what is in DATA_DIR, and by these settings nothing is: the logs are in "
    "PostgreSQL (use pg_dump), and SQS keeps its messages itself";

/* Adds the file to the archive as it is now, if there is one. */
static int add(struct backup_archive *archive, const struct config *config, int file,
               struct errbuf *err)
{
    char path[PATH_MAX];
    char copy[PATH_MAX];
    struct errbuf reason = ERRBUF_INIT;
    int error;

    if ((error = data_dir_path(path, config->data_dir, files[file], err)))
        return error;
    if (access(path, F_OK))
        return 0;
    if ((error = backup_archive_scratch(archive, copy, err)))
        return error;
    error = sqlite_snapshot_take(path, copy, &reason);
    if (error)
        error = errbuf_fail(err, error, "cannot copy %s: %s", files[file], reason.text);
    else
        error = backup_archive_add_file(archive, files[file], copy, err);
    unlink(copy);
    return error;
}

static int write_archive(struct backup_archive *archive, const struct config *config,
                         const char *path, struct errbuf *err)
{
    int error = backup_archive_create(archive, path, err);

    for (int i = 0; !error && i < FILES_LEN; i++)
        if (is_ours(config, i))
            error = add(archive, config, i, err);
    return error ? error : backup_archive_finish_writing(archive, err);
}

/* There has to be something to copy: a wrong DATA_DIR must not become an empty backup. */
static int find_data(const struct config *config, struct errbuf *err)
{
    struct errbuf second = ERRBUF_INIT;
    int error = LM_ENOTFOUND;

    for (int i = 0; error && i < FILES_LEN; i++)
        if (is_ours(config, i))
            error = data_dir_find(config->data_dir, files[i], err->text[0] ? &second : err);
    return error;
}

int backup_command(const struct config *config, char **args, int args_len)
{
    struct errbuf err = ERRBUF_INIT;
    struct backup_archive archive;
    int status = one_file("backup", args, args_len);

    if (status)
        return status;
    if (!ports_need_data_dir(config)) {
        errbuf_set(&err, "%s", in_the_cloud);
        return command_fail(&err);
    }
    /* It would take the place of what is copied, of the only copy there is. */
    if (data_dir_owns(config->data_dir, args[0])) {
        errbuf_set(&err, "%s is a file of DATA_DIR: choose another name", args[0]);
        return command_fail(&err);
    }
    if (data_dir_check_restored(config->data_dir, &err) || find_data(config, &err))
        return command_fail(&err);
    int error = write_archive(&archive, config, args[0], &err);
    backup_archive_abandon(&archive);
    if (error)
        return command_fail(&err);
    diag(DIAG_INFO, "backed up", DIAG_STR("file", args[0]),
         DIAG_INT("bytes", (int64_t)archive.bytes));
    if (!is_ours(config, QUEUE))
        diag(DIAG_WARN, "the queue is not in it: SQS keeps its messages itself");
    if (!is_ours(config, STORE))
        diag(DIAG_WARN, "the stored logs are not in it: use pg_dump, now that the queue is copied");
    return 0;
}

/* ---- restore ---- */

/* Where in DATA_DIR the file will be, and where it is until all are whole. */
struct place {
    char final[PATH_MAX];
    char restoring[PATH_MAX];
    bool is_there; /* it was in the archive */
};

static int find_places(struct place places[FILES_LEN], const char *dir, struct errbuf *err)
{
    int error = 0;

    for (int i = 0; !error && i < FILES_LEN; i++) {
        char name[32];

        places[i].is_there = false;
        snprintf(name, sizeof(name), "%s" DATA_DIR_RESTORING, files[i]);
        error = data_dir_path(places[i].final, dir, files[i], err);
        if (!error)
            error = data_dir_path(places[i].restoring, dir, name, err);
    }
    return error;
}

static void remove_unfinished(const struct place places[FILES_LEN])
{
    for (int i = 0; i < FILES_LEN; i++)
        unlink(places[i].restoring);
}

static int extract(struct backup_archive *archive, const struct config *config,
                   struct place places[FILES_LEN], struct errbuf *err)
{
    char name[BACKUP_ARCHIVE_NAME_MAX + 1];
    uint64_t size;
    int error;

    while (!(error = backup_archive_next_file(archive, name, &size, err))) {
        int i = 0;

        while (i < FILES_LEN && strcmp(name, files[i]) != 0)
            i++;
        if (i == FILES_LEN || places[i].is_there)
            return errbuf_fail(err, LM_EIO, "%s is damaged: it has a file \"%s\"%s", archive->path,
                               name, i == FILES_LEN ? "" : " twice");
        if (!is_ours(config, i))
            return errbuf_fail(err, LM_EINVAL,
                               "%s has %s, which would not be used: by these settings %s",
                               archive->path, name,
                               i == QUEUE ? "the queue is SQS (SQS_QUEUE_URL)"
                                          : "the store is PostgreSQL (DATABASE_URL)");
        places[i].is_there = true;
        if ((error = backup_archive_extract(archive, name, size, places[i].restoring, err)))
            return error;
    }
    return error == LM_ENOTFOUND ? backup_archive_finish_reading(archive, err) : error;
}

static int check(const struct place places[FILES_LEN], struct errbuf *err)
{
    int error = 0;

    for (int i = 0; !error && i < FILES_LEN; i++)
        if (places[i].is_there)
            error = sqlite_snapshot_check(places[i].restoring, err);
    return error;
}

/*
 * All names are on the disk before the first file gets its own, and then until each has it: whoever
 * is stopped in between leaves a file that serve sees.
 */
static int settle(const struct place places[FILES_LEN], struct errbuf *err)
{
    int error = sqlite_db_sync_parent(places[0].restoring, err);

    for (int i = 0; !error && i < FILES_LEN; i++) {
        if (!places[i].is_there)
            continue;
        if (rename(places[i].restoring, places[i].final))
            error =
                errbuf_fail(err, LM_EIO, "cannot name %s: %s", places[i].final, strerror(errno));
    }
    return error ? error : sqlite_db_sync_parent(places[0].final, err);
}

/* With DATA_DIR locked. */
static int restore_locked(struct backup_archive *archive, const struct config *config,
                          struct errbuf *err)
{
    struct place places[FILES_LEN];
    int error;

    if ((error = find_places(places, config->data_dir, err)) ||
        (error = data_dir_check_empty(config->data_dir, err)))
        return error;
    remove_unfinished(places);
    /* Looked at once more: commands that take no lock may have made a file meanwhile. */
    if ((error = extract(archive, config, places, err)) || (error = check(places, err)) ||
        (error = data_dir_check_empty(config->data_dir, err))) {
        remove_unfinished(places);
        return error;
    }
    return settle(places, err);
}

static int restore(struct backup_archive *archive, const struct config *config, struct errbuf *err)
{
    const char *dir = config->data_dir;
    int error = data_dir_make(dir, err);

    if (!error)
        error = data_dir_check_empty(dir, err);
    if (error)
        return error;
    int api = data_dir_lock(dir, "api", err);
    if (api < 0)
        return api;
    int worker = data_dir_lock(dir, "worker", err);
    error = worker < 0 ? worker : restore_locked(archive, config, err);
    if (worker >= 0)
        close(worker);
    close(api);
    return error;
}

int backup_restore_command(const struct config *config, char **args, int args_len)
{
    struct errbuf err = ERRBUF_INIT;
    struct backup_archive archive;
    int status = one_file("restore", args, args_len);

    if (status)
        return status;
    if (!ports_need_data_dir(config)) {
        errbuf_set(&err,
                   "restore fills DATA_DIR, and by these settings nothing would be in it: the "
                   "logs are in PostgreSQL (use pg_restore or psql), the queue is SQS");
        return command_fail(&err);
    }
    /* The archive comes first, so that a wrong one makes no directory. */
    int error = backup_archive_open(&archive, args[0], &err);
    if (!error)
        error = restore(&archive, config, &err);
    backup_archive_abandon(&archive);
    if (error)
        return command_fail(&err);
    diag(DIAG_INFO, "restored", DIAG_STR("file", args[0]), DIAG_STR("data", config->data_dir));
    return 0;
}
