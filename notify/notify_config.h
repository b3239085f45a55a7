/* The receivers, as `notify:` of the configuration names them. docs/configuration.md has the keys.
 *
 * May use: base. Pure: files that are named are not looked at.
 */
#ifndef NOTIFY_NOTIFY_CONFIG_H
#define NOTIFY_NOTIFY_CONFIG_H

#include "base/yaml.h"

struct notify_config;

/* From the list; NULL when there were errors, all of which are in diags. The caller owns it. */
struct notify_config *notify_config_read(const struct yaml_node *list, struct diag_list *diags);

struct notify_config *notify_config_ref(struct notify_config *config);   /* accepts NULL */
struct notify_config *notify_config_unref(struct notify_config *config); /* the same; gives NULL */

#endif
