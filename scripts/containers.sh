#!/bin/sh
# Starts Compose's containers, has the audit judge what they stored, and removes them with their data: `make containers`.
#
# FORM is plain, secure or cluster; without one, all three in turn. They run as a project of their own, but publish the
# ports of docker-compose.yml, which must be free. Grafana and Alertmanager are left out. Ends with 1 if a container does
# not become healthy within WAIT seconds (default 180), or if the audit finds a difference.
set -eu
cd "$(dirname "$0")/.." || exit 1
command -v docker-compose >/dev/null && compose=docker-compose || compose="docker compose"
made=""
[ -d secrets ] || made=secrets
export COMPOSE_PROJECT_NAME=tickflow-try ALERT_URLS=json://127.0.0.1:9/nowhere

end() {
    $compose $profiles --profile audit down -v >/dev/null 2>&1 || true
    [ -z "$made" ] || rm -rf "$made"
}

each_is_healthy() {
    for id in $($compose $profiles ps -q); do
        state=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$id")
        case $state in "running healthy" | "exited "*) ;; *) return 1 ;; esac
    done
}

add_user() { # $1: the service of the page
    printf 'four old words here\nfour old words here\n' |
        $compose $profiles run --rm -T "$1" python stock_dashboard.py --add-user anna --role operator >/dev/null
}

try() { # $1: the form; $2: the service whose page needs an account, if one does
    echo "$1: starting"
    trap end EXIT
    [ -z "$2" ] || add_user "$2"
    $compose $profiles up -d $services >/dev/null
    left=${WAIT:-180}
    until each_is_healthy; do
        left=$((left - 2))
        [ "$left" -gt 0 ] || { $compose $profiles ps; $compose $profiles logs --tail 5; exit 1; }
        sleep 2
    done
    sleep 20 # some ticks to judge
    $compose $profiles ps
    $compose $profiles run --rm auditor
    end
    trap - EXIT
    echo "$1: every container was healthy, and the audit EQUAL"
}

$compose --profile app build --quiet
for form in ${*:-plain secure cluster}; do
    case $form in
    plain)
        export COMPOSE_FILE=docker-compose.yml
        profiles="--profile app --profile alerts --profile login --profile monitoring"
        services="producer worker dashboard notifier page prometheus"
        try plain page
        ;;
    secure)
        scripts/secrets.sh >/dev/null
        export COMPOSE_FILE=docker-compose.yml:docker-compose.secure.yml
        profiles="--profile secure --profile alerts"
        services="producer worker dashboard notifier"
        try secure dashboard
        ;;
    cluster)
        export COMPOSE_FILE=docker-compose.yml:docker-compose.cluster.yml
        profiles="--profile app"
        services="producer worker dashboard"
        try cluster ""
        ;;
    *) echo "there is no form $form: plain, secure or cluster" >&2; exit 2 ;;
    esac
done
