/*
 * The settings: one table holds name, type, default, what is allowed and a line of help; the same
 * table loads, checks, shows and documents them. Each is an environment variable (DATA_DIR) and a
 * flag (--data-dir); the flag wins. An empty variable counts as not set. Those that may hold a
 * password have no flag.
 */
#ifndef LOGMILL_PROGRAM_CONFIG_H
#define LOGMILL_PROGRAM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/errbuf.h"

struct config {
    const char *host;
    uint64_t port;
    uint64_t tls_port;
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *tls_client_ca_file;
    const char *tls_client_certificates;
    uint64_t tls_handshake_timeout;
    const char *allowed_hosts;
    const char *cors_origins;
    const char *trusted_proxies;
    const char *keys_file;
    const char *keys; /* what such a file would say */
    const char *anonymous;
    uint64_t anonymous_rate, anonymous_bytes;
    uint64_t anonymous_connections, anonymous_scans, anonymous_tails;
    uint64_t session_max_age_s;
    const char *links; /* and variables LINK_NAME: see api/links.h */
    const char *ops_access;
    const char *data_dir;
    uint64_t web_concurrency;
    uint64_t read_threads;
    uint64_t read_helpers;
    uint64_t max_reads;
    uint64_t max_reads_per_client;
    uint64_t max_body_bytes;
    uint64_t max_batch_bytes;
    uint64_t max_header_bytes;
    uint64_t max_inflight_bytes;
    uint64_t max_connection_bytes;
    uint64_t max_connections;
    uint64_t max_tails;
    const char *fluent_listen;
    const char *fluent_shared_key;
    const char *gelf_listen;
    const char *syslog_listen;
    uint64_t max_streams;
    uint64_t udp_buffer_bytes;
    uint64_t keepalive_timeout;
    uint64_t request_timeout;
    uint64_t upload_timeout;
    uint64_t write_timeout;
    uint64_t query_timeout;
    uint64_t ready_timeout;
    uint64_t shutdown_timeout;
    uint64_t retention_days;
    uint64_t retention_mb;
    const char *retention_days_by_level;
    uint64_t queue_max_bytes;
    uint64_t dead_letters_days;
    uint64_t dead_letters_max_bytes;
    const char *dead_letters_excess;
    const char *log_level;
    const char *log_format;
    uint64_t worker_threads;
    uint64_t metrics_port;
    uint64_t emf_interval;
    const char *emf_namespace;
    const char *sqs_queue_url;
    uint64_t sqs_max_message_bytes;
    uint64_t sqs_timeout;
    uint64_t sqs_gather_ms;
    const char *database_url;
    const char *database_host;
    const char *database_port;
    const char *database_name;
    const char *database_user;
    const char *database_pass;
    const char *database_writer_user;
    const char *database_writer_pass;
    const char *database_reader_user;
    const char *database_reader_pass;
    const char *database_indexes;
    const char *redis_url;
    const char *redis_ca_file;
    uint64_t cache_logs;
    uint64_t cache_rebuild_seconds;
    bool take_over; /* --take-over: no setting, for it is of one start */
};

/*
 * Fills `config` from defaults, the environment and the flags among args[0..args_len). What is no
 * flag is moved to the front of `args`, and `*rest_len` tells how much that is. Strings point into
 * the environment and `args`.
 * Returns 0, or LM_EINVAL with one line that names the setting, the value and what is allowed.
 */
int config_load(struct config *config, char **args, int args_len, int *rest_len,
                struct errbuf *err) LM_MUST_CHECK;

/* Whether PORT itself speaks TLS. */
bool config_port_is_tls(const struct config *config);

/* Whether those who connect by TLS have to have certificates. */
bool config_needs_certificates(const struct config *config);

/* Prints all settings with their values, secrets masked, as NAME=value lines with comments. */
void config_print(const struct config *config, FILE *out);

/* Prints the flags as a part of --help. */
void config_print_flags(FILE *out);

/* Prints the table of settings for docs/settings.md. */
void config_print_markdown(FILE *out);

#endif
