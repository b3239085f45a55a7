/* What the files of the configuration share. Private to supervisor/. */
#ifndef SUPERVISOR_CONFIG_PRIVATE_H
#define SUPERVISOR_CONFIG_PRIVATE_H

#include "supervisor/config.h"

/* config.c: all sections into a configuration that has its defaults. Adds its complaints. */
void config__read(struct config *config, const struct yaml_node *root, struct diag_list *diags);

/* The file's text, with a NUL behind it; NULL with errno set. The caller frees it. */
char *config__read_file(const char *path, size_t *ret_len);

/* config_policies.c: the sections that make it act by itself. Each adds its complaints. */
void config__policy_defaults(struct config *config);
void config__read_policies(struct config *config, const struct yaml_node *node,
                           struct diag_list *diags);
void config__read_mode(struct config *config, const struct yaml_node *node,
                       struct diag_list *diags);
void config__read_recoveries(struct config *config, const struct yaml_node *node,
                             struct diag_list *diags);
void config__read_settle(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags);
void config__read_watch(struct config *config, const struct yaml_node *node,
                        struct diag_list *diags);
void config__read_logs(struct config *config, const struct yaml_node *node,
                       struct diag_list *diags);
void config__read_notify(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags);
void config__read_checks(struct config *config, const struct yaml_node *node,
                         struct diag_list *diags);

/* When all is read: what one section says of another. */
void config__check_policies(const struct config *config, struct diag_list *diags);

#endif
