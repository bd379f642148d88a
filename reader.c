// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers: what the reader of a file may see. Under the parameter visibility=own that
 * is the rows of its own agent only, unless it has CAP_SYS_ADMIN; and in any case no
 * PID or COMM that its /proc hides (its mount option hidepid).
 *
 * The credentials are those of the file's opener, whichever process has it now. The agent must
 * be both the opener's, when it opened the file, and that of the process that reads: a
 * file that was passed on, or outlived its agent, whose id may be another tenant's by
 * now, is not read.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"

const char * const gdl_visibility_names[GDL_NR_VISIBILITIES] = {
	[GDL_VISIBILITY_ALL]	= "all",
	[GDL_VISIBILITY_OWN]	= "own",
};

static enum gdl_visibility visibility;		/* set once, by gdl_reader_init() */

/**
 * gdl_reader_init() - set what readers without CAP_SYS_ADMIN see
 * @to: the rows of all agents, or of their own
 *
 * Context: Any. No file can be opened yet.
 */
void gdl_reader_init(enum gdl_visibility to)
{
	visibility = to;
}

/**
 * gdl_reader_sees_all() - are the rows of all agents for the opener of a file?
 * @file: the file
 *
 * Context: Any.
 * Return: Whether they are.
 */
bool gdl_reader_sees_all(const struct file *file)
{
	return visibility == GDL_VISIBILITY_ALL ||
	       file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
}

static u64 current_agent_id(void)
{
	u64 id;

	rcu_read_lock();
	id = gdl_agent_of(current)->id;
	rcu_read_unlock();
	return id;
}

/* The mount option hidepid, unless all it hides is shown to the current process. */
static enum proc_hidepid hide_pid_of(const struct file *file)
{
	const struct proc_fs_info *info = proc_sb_info(file_inode(file)->i_sb);
	enum proc_hidepid hide_pid = READ_ONCE(info->hide_pid);

	if (hide_pid == HIDEPID_OFF ||
	    file_ns_capable(file, &init_user_ns, CAP_SYS_PTRACE))
		return HIDEPID_OFF;
	/* The mount option gid excepts a group, but not from hidepid=4. */
	if (hide_pid != HIDEPID_NOT_PTRACEABLE && in_group_p(info->pid_gid))
		return HIDEPID_OFF;
	return hide_pid;
}

/**
 * gdl_reader_open() - note which process opens a file
 * @reader: receives what it may see
 * @file: the file, which stays open as long as @reader is used
 *
 * Context: Process context, of the opener.
 */
void gdl_reader_open(struct gdl_reader *reader, const struct file *file)
{
	reader->file = file;
	reader->all = gdl_reader_sees_all(file);
	reader->opener_id = current_agent_id();
	reader->agent_id = gdl_host.id;
	reader->hide_pid = hide_pid_of(file);
	reader->pid_ns = proc_pid_ns(file_inode(file)->i_sb);
	reader->addresses = false;
}

/**
 * gdl_reader_may_read() - may the current process read the file?
 * @reader: from gdl_reader_open()
 *
 * Context: Process context, of the reader.
 * Return: Whether its agent is the opener's, or the opener sees all.
 */
bool gdl_reader_may_read(const struct gdl_reader *reader)
{
	return reader->all || current_agent_id() == reader->opener_id;
}

/**
 * gdl_reader_begin() - the file is read, maybe by another process than its opener
 * @reader: from gdl_reader_open()
 *
 * Context: Process context, of the reader.
 */
void gdl_reader_begin(struct gdl_reader *reader)
{
	u64 id;

	if (reader->all)
		return;
	id = current_agent_id();
	reader->agent_id = id == reader->opener_id ? id : gdl_host.id;
}

/**
 * gdl_reader_sees() - are an agent's rows for a reader?
 * @reader: from gdl_reader_begin()
 * @agent_id: the agent
 *
 * All that is bound to no other works for agent 0. It is nobody's own: a process that does
 * would see rows of others.
 *
 * Context: Any.
 * Return: Whether they are.
 */
bool gdl_reader_sees(const struct gdl_reader *reader, u64 agent_id)
{
	return reader->all ||
	       (agent_id == reader->agent_id && agent_id != gdl_host.id);
}

static bool same_user(const struct cred *reader, const struct cred *cred)
{
	kuid_t uid = reader->fsuid;
	kgid_t gid = reader->fsgid;

	return uid_eq(uid, cred->euid) && uid_eq(uid, cred->suid) &&
	       uid_eq(uid, cred->uid) && gid_eq(gid, cred->egid) &&
	       gid_eq(gid, cred->sgid) && gid_eq(gid, cred->gid);
}

/*
 * What ptrace_may_access(PTRACE_MODE_READ_FSCREDS) says, which /proc asks and no module
 * can; but of the opener, and without what a security module may object to.
 */
static bool may_access(const struct file *file, struct task_struct *task)
{
	const struct cred *cred = __task_cred(task);
	struct user_namespace *ns;
	bool may;

	if (same_thread_group(task, current))
		return true;
	if (!same_user(file->f_cred, cred) &&
	    !file_ns_capable(file, cred->user_ns, CAP_SYS_PTRACE))
		return false;
	task_lock(task);
	ns = gdl_undumpable_in(task);
	may = !ns || file_ns_capable(file, ns, CAP_SYS_PTRACE);
	task_unlock(task);
	return may;
}

/**
 * gdl_reader_sees_process() - does a reader's /proc show it a process?
 * @reader: from gdl_reader_open()
 * @pid: of a thread group
 *
 * One that has ended is nobody's any more, and shown to readers that see all.
 *
 * Context: Process context. Caller holds rcu_read_lock(). Takes task_lock().
 * Return: Whether it does.
 */
bool gdl_reader_sees_process(const struct gdl_reader *reader, struct pid *pid)
{
	struct task_struct *task;

	if (likely(reader->hide_pid == HIDEPID_OFF))
		return true;
	task = pid_task(pid, PIDTYPE_TGID);
	return task && may_access(reader->file, task);
}

/**
 * gdl_reader_name() - what an agent is called, for the current process
 * @agent: the agent
 *
 * A name that is a path is the cgroup's whole one, and not for a reader in a cgroup
 * namespace, and is to know nothing of what is outside it.
 *
 * Context: Process context. Caller holds rcu_read_lock().
 * Return: Its name, "" if it has none, or has one that is not for it.
 */
const char *gdl_reader_name(const struct gdl_agent *agent)
{
	const char *name = gdl_agent_name(agent);

	return *name != '/' || gdl_cgroup_namespace_is_root() ? name : "";
}
