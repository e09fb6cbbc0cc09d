/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How an instance is opened and looked at as a whole. Neighbours: host.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/host.h"
#include "loader/snapshot.h"

#define LABEL_MAPS (GL_MAPS_ONE(GL_MAP_NAME) | GL_MAPS_ONE(GL_MAP_PORT))

int gl_host_open(const struct gl_paths *paths, struct gl_host **ret, struct gl_diag *diag)
{
	struct gl_host *host = calloc(1, sizeof(*host));
	const char *bpffs = paths && paths->bpffs ? paths->bpffs : GL_DEFAULT_BPFFS;
	const char *state = paths && paths->state ? paths->state : GL_DEFAULT_STATE;

	if (!host)
		return gl_fail(diag, -ENOMEM, "cannot open %s", bpffs);
	gl_object_init(&host->obj);
	host->bpffs = strdup(bpffs);
	host->state = strdup(state);
	if (!host->bpffs || !host->state) {
		gl_host_close(host);
		return gl_fail(diag, -ENOMEM, "cannot open %s", bpffs);
	}
	*ret = host;
	return 0;
}

void gl_host_close(struct gl_host *host)
{
	if (!host)
		return;
	gl_object_close(&host->obj);
	gl_definition_free(host->applied);
	free(host->bpffs);
	free(host->state);
	free(host);
}

int gl_host_refresh(struct gl_host *host, struct gl_diag *diag)
{
	struct gl_object obj;
	int err = gl_object_open(host->bpffs, &obj, diag);

	if (err)
		return err;
	gl_object_close(&host->obj);
	host->obj = obj;
	return 0;
}

const struct gl_mapset *gl_view_live(const struct gl_view *view)
{
	return view->sets[view->control.side & 1];
}

int gl_view_read(struct gl_host *host, struct gl_view *ret, struct gl_diag *diag)
{
	return gl_view_read_some(host, GL_MAPS_ALL, ret, diag);
}

int gl_view_read_some(struct gl_host *host, uint32_t maps, struct gl_view *ret, struct gl_diag *diag)
{
	struct gl_view v = { 0 };
	int err = gl_host_refresh(host, diag);

	if (err)
		return err;
	err = gl_control_read(&host->obj, &v.control);
	if (err)
		return gl_fail(diag, err, "cannot read the map gl_control");
	err = gl_snapshot_read(&host->obj, maps | LABEL_MAPS, v.sets, diag);
	if (!err)
		err = gl_attachments_read(host->bpffs, &v.attachments, diag);
	if (!err) {
		err = gl_tables_read(host->bpffs, &host->obj, &v.tables);
		if (err)
			gl_fail(diag, err, "cannot read %s/flows", host->bpffs);
	}
	if (!err) {
		err = gl_state_read(host->state, v.control.serial, &v.state, &v.other);
		if (err)
			gl_fail(diag, err, "cannot read the state in %s", host->state);
	}
	if (err) {
		gl_view_clear(&v);
		return err;
	}
	*ret = v;
	return 0;
}

void gl_view_clear(struct gl_view *view)
{
	gl_mapset_free(view->sets[0]);
	gl_mapset_free(view->sets[1]);
	gl_attachments_clear(&view->attachments);
	gl_tables_clear(&view->tables);
	gl_state_clear(&view->state);
	gl_state_clear(&view->other);
	*view = (struct gl_view){ 0 };
}

int gl_definition_parse(const char *json, struct gl_definition **ret, struct gl_diag *diag)
{
	struct gl_definition *def;
	int err = gl_definition_new(&def);

	if (err)
		return gl_fail(diag, err, "cannot read the definition in force");
	err = gl_parse(def, "applied.json", json, strlen(json), diag);
	if (err) {
		gl_definition_free(def);
		return err;
	}
	*ret = def;
	return 0;
}

int gl_applied(struct gl_host *host, const struct gl_definition **ret, struct gl_diag *diag)
{
	struct gl_control_val control;
	struct gl_definition *def = NULL;
	struct gl_state state;
	int err = gl_host_refresh(host, diag);

	if (!err) {
		err = gl_control_read(&host->obj, &control);
		if (err)
			gl_fail(diag, err, "cannot read the map gl_control");
	}
	if (err)
		return err;
	err = gl_state_read(host->state, control.serial, &state, NULL);
	if (err)
		return gl_fail(diag, err, "cannot read the state in %s", host->state);
	if (!control.serial)
		err = gl_refuse(diag, -ENOENT, "nothing has been applied yet");
	else if (!state.definition)
		err = gl_refuse(diag, -ENOENT, "the definition in force is not in %s: apply it again", host->state);
	else
		err = gl_definition_parse(state.definition, &def, diag);
	gl_state_clear(&state);
	if (err)
		return err;
	gl_definition_free(host->applied);
	host->applied = def;
	*ret = def;
	return 0;
}
