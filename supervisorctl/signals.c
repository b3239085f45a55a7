/* See signals.h. */
#include "supervisorctl/signals.h"

#include "base/mem.h"

#include <sys/signalfd.h>

void signals_open(struct signals *signals)
{
    sigset_t wanted;
    if (signals->fd >= 0)
        return;
    *signals = SIGNALS_CLOSED;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGWINCH);
    sigprocmask(SIG_BLOCK, &wanted, &signals->before);
    signals->fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) /* better to die of Ctrl-C than not to hear it */
        sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

void signals_read(struct signals *signals)
{
    struct signalfd_siginfo news;
    while (signals->fd >= 0 && read(signals->fd, &news, sizeof news) == (ssize_t)sizeof news) {
        if (news.ssi_signo == SIGWINCH)
            signals->resized = true;
        else
            signals->interrupts++;
    }
}

void signals_close(struct signals *signals)
{
    if (signals->fd < 0)
        return;
    signals_read(signals); /* what came while we were ending is not to kill us now */
    close(signals->fd);
    signals->fd = -1;
    sigprocmask(SIG_SETMASK, &signals->before, NULL);
}
