#!/bin/sh
# All three scripts in one terminal, on the embedded stack: what `make run` starts, once .venv is there.
#
# Ctrl+C, SIGTERM and a closed terminal end everything and count as success. Exit codes: 0 asked to stop; 2 a bad
# setting or a taken port, before anything is started; else that of the script which ended by itself.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PATH STACK=embedded PYTHONUNBUFFERED=1 PRICE_LINES=${PRICE_LINES:-on}
export PATH STACK PYTHONUNBUFFERED PRICE_LINES

# A shell cannot trap a signal that was ignored when the shell started. SIGTERM has to end everything even then, so
# restart through a program that can restore its default action. The signals that nohup and a background job ignore
# (SIGHUP, SIGINT) stay ignored.
if [ -z "${TICKFLOW_HEARS:-}" ]; then
    export TICKFLOW_HEARS=yes
    exec python -ISc 'import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' scripts/run.sh
fi
unset TICKFLOW_HEARS

# Check the settings once, before three scripts read them, and check while nothing runs that the page's port is free.
found=$(python - <<'END'
import socket, sys
from config import load_settings
from tickflow.errors import SettingError

try:
    settings = load_settings()
except SettingError as error:
    sys.exit(print(error, file=sys.stderr) or 2)
host, port = settings.dashboard_host, settings.dashboard_port
try:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
except OSError as error:
    print(
        f"DASHBOARD_PORT is '{port}'; expected a port of {host} that is free ({error.strerror}): end what uses it, "
        "or choose another, as in DASHBOARD_PORT=8051 make run.",
        file=sys.stderr,
    )
    sys.exit(2)
print(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
print(0 if settings.alert_urls is None else 1)
END
) || exit $?
url=$(echo "$found" | head -n 1)
notify=$(echo "$found" | tail -n 1) # 1 where there is an address to send alerts to

# Every process started below has this mark in its environment, by which `end_all` finds it: honcho gives each script a
# session of its own, and may have ended before its scripts.
mark=TICKFLOW_RUN=$$-$(date +%s)

marked() {
    if [ -r /proc/self/environ ]; then
        grep -lsaz "^$mark\$" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3
    else
        ps -A -E -o pid=,command= 2>/dev/null | awk -v mark="$mark" 'index($0, mark) && !/awk/ { print $1 }'
    fi
}

# The scripts are asked to end (honcho ends when they have); any process left after 12 s is killed.
end_all() {
    tries=0
    while pids=$(marked) && [ -n "$pids" ]; do
        for pid in $pids; do
            if [ "$tries" -ge 60 ]; then
                kill -KILL "$pid"
            elif [ $((tries % 5)) = 0 ] && [ "$pid" != "$1" ]; then
                kill -TERM "$pid"
            fi
        done 2>/dev/null
        tries=$((tries + 1))
        sleep 0.2
    done
}

# Run a command in a session of its own: the terminal's signals reach this script alone, which then ends all processes.
apart() {
    exec env "$mark" python -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" 3>&- </dev/null
}

asked=
trap 'asked=yes; exec 3>&-' HUP INT TERM

echo "Starting on the embedded stack; the page will be at $url. Ctrl+C ends everything."
folder=$(mktemp -d) && mkfifo "$folder/alive" && exec 3<>"$folder/alive" || exit 1
apart honcho -e /dev/null start -c "notify=$notify" &
honcho=$!

# The caretaker ends all processes once fd 3 is closed, which happens even if this script is killed outright.
(
    trap '' HUP INT TERM
    exec <"$folder/alive" 3>&-
    rm -r "$folder"
    cat >/dev/null
    end_all "$honcho"
) &
caretaker=$!

apart python -c '
import sys, time, urllib.error, urllib.request
for _ in range(300):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5).close()
    except urllib.error.HTTPError:
        pass
    except OSError:
        time.sleep(0.2)
        continue
    sys.exit(print(f"\n    The page is at {sys.argv[1]} (Ctrl+C ends everything)\n"))
' "$url" &

[ -z "$asked" ] || exec 3>&-
wait "$honcho" # until it ends, or a signal comes
code=$?
[ -z "$asked" ] || code=0
exec 3>&-
while kill -0 "$caretaker" 2>/dev/null; do wait "$caretaker"; done
exit "$code"
