/*
 * posix_spawn does not copy our memory and can not be interrupted half-way, and a pidfd
 * says in our loop that a program has ended, without signals. Before it is reaped its
 * number is still its own: only then may the group be killed by that number.
 */
#include "io/sys_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the program finds: /dev/null to read, the pipe to write, and nothing else. */
static int plan_files(posix_spawn_file_actions_t *files, int output)
{
    int e = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

    if (!e)
        e = posix_spawn_file_actions_adddup2(files, output, 1);
    if (!e)
        e = posix_spawn_file_actions_adddup2(files, output, 2);
    if (!e)
        e = posix_spawn_file_actions_addclosefrom_np(files, 3);
    if (!e)
        e = posix_spawn_file_actions_addchdir_np(files, "/");
    return e;
}

/* A group of its own, and all signals as at the beginning of time. */
static int plan_process(posix_spawnattr_t *plan)
{
    sigset_t none, all;
    int e;

    sigemptyset(&none);
    sigfillset(&all);
    e = posix_spawnattr_setflags(plan, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                           POSIX_SPAWN_SETSIGDEF);
    if (!e)
        e = posix_spawnattr_setpgroup(plan, 0);
    if (!e)
        e = posix_spawnattr_setsigmask(plan, &none);
    if (!e)
        e = posix_spawnattr_setsigdefault(plan, &all);
    return e;
}

static int spawn(const char *const *argv, const char *const *env, int output, int *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t plan;
    int e = posix_spawn_file_actions_init(&files);

    if (e)
        return e;
    e = posix_spawnattr_init(&plan);
    if (!e) {
        e = plan_files(&files, output);
        if (!e)
            e = plan_process(&plan);
        if (!e)
            e = posix_spawn(pid, argv[0], &files, &plan, (char *const *)argv,
                            (char *const *)env);
        posix_spawnattr_destroy(&plan);
    }
    posix_spawn_file_actions_destroy(&files);
    return e;
}

enum err sys_child_start(const char *const *argv, const char *const *env,
                         struct sys_child *child)
{
    int ends[2], e;

    if (pipe2(ends, O_CLOEXEC))
        return err_from_errno(errno);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK)) {
        e = errno;
        goto fail;
    }
    e = spawn(argv, env, ends[1], &child->pid);
    if (e)
        goto fail;
    child->output = ends[0];
    child->exit_fd = pidfd_open(child->pid, 0);
    if (child->exit_fd < 0) {
        e = errno;
        kill(-child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        goto fail;
    }
    close(ends[1]);
    return ERR_OK;
fail:
    close(ends[0]);
    close(ends[1]);
    return err_from_errno(e);
}

enum err sys_child_read(const struct sys_child *child, void *p, size_t n, size_t *got)
{
    ssize_t r;

    do
        r = read(child->output, p, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_from_errno(errno);
    *got = (size_t)r;
    return r ? ERR_OK : ERR_EOF;
}

bool sys_child_ended(const struct sys_child *child, unsigned *status)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
        info.si_pid == 0)
        return false;
    kill(-child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0); /* it has ended: this does not wait */
    *status = info.si_code == CLD_EXITED ? (unsigned)info.si_status
                                         : 256 + (unsigned)info.si_status;
    return true;
}

void sys_child_kill(const struct sys_child *child)
{
    kill(-child->pid, SIGKILL);
}

void sys_child_close(struct sys_child *child)
{
    close(child->exit_fd);
    close(child->output);
    child->exit_fd = child->output = -1;
}
