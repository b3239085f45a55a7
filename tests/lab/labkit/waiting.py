"""Waiting for a condition with a deadline: never a bare sleep."""

import time

POLL_SECONDS = (0.03, 0.5)


def wait_until(condition, timeout, what):
    """Polls until condition() is true and gives its value; says `what` was awaited if it fails.

    An exception of the condition counts as "not yet"; the last one is told at the deadline. What is
    dear to ask is asked less often: the machine has what is waited for to do.
    """
    deadline = time.monotonic() + timeout
    last_error = None
    while True:
        began = time.monotonic()
        try:
            value = condition()
            if value:
                return value
            last_error = None
        except Exception as error:  # whatever it is: told at the deadline
            last_error = error
        if time.monotonic() >= deadline:
            detail = f" (last error: {last_error})" if last_error else ""
            raise TimeoutError(f"waited {timeout} s in vain for {what}{detail}")
        least, most = POLL_SECONDS
        time.sleep(min(most, max(least, 2 * (time.monotonic() - began))))
