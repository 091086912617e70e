#!/bin/sh
# Starts Compose's containers, has the audit judge what they stored, and removes them with their data: `make containers`.
#
# FORM is plain, secure or cluster; without one, all three in turn. They run as a project of their own, but publish the
# ports of docker-compose.yml, which must be free. Grafana and Alertmanager are left out. Ends with 1 if a container does
# not become healthy within WAIT seconds (default 180), if a script is not ready, if Prometheus does not reach what it
# watches, or if the audit finds a difference.
#
# BY_TAG=1 leaves the digests of the images out, for an engine whose images have the names but come from elsewhere.
set -eu
cd "$(dirname "$0")/.." || exit 1
command -v docker-compose >/dev/null && compose=docker-compose || compose="docker compose"
compose="$compose --project-directory ."
export COMPOSE_PROJECT_NAME=tickflow-try ALERT_URLS=json://127.0.0.1:9/nowhere
made=""
[ -d secrets ] || made=secrets
from=.
if [ "${BY_TAG:-}" ]; then
    from=$(mktemp -d)
    made="$made $from"
    for file in Dockerfile docker-compose*.yml; do sed 's/@sha256:[0-9a-f]*//' "$file" >"$from/$file"; done
fi

end() {
    [ -z "${COMPOSE_FILE:-}" ] || $compose $profiles --profile audit down -v >/dev/null 2>&1 || true
}

each_is_healthy() {
    for id in $($compose $profiles ps -q); do
        state=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$id")
        case $state in "running healthy" | "exited "*) ;; *) return 1 ;; esac
    done
}

each_is_ready() {
    for service in $services; do
        case $service in
        prometheus)
            down=$($compose exec -T prometheus wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=up==0')
            case $down in *'"result":[]'*) ;; *) echo "Prometheus does not reach: $down" && return 1 ;; esac
            ;;
        *)
            $compose exec -T "$service" python -c \
                'import urllib.request; urllib.request.urlopen("http://127.0.0.1:9300/health/ready", timeout=9)' ||
                { echo "$service is not ready" && return 1; }
            ;;
        esac
    done
}

add_user() { # $1: the service of the page
    printf 'four old words here\nfour old words here\n' |
        $compose $profiles run --rm -T "$1" python stock_dashboard.py --add-user anna --role operator >/dev/null
}

try() { # $1: the form; $2: the service whose page needs an account, if one does
    echo "$1: starting"
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
    each_is_ready
    $compose $profiles run --rm auditor
    end
    echo "$1: every container was healthy and ready, and the audit EQUAL"
}

trap 'end; rm -rf $made' EXIT
trap 'exit 1' INT TERM
docker build --quiet --tag tickflow:local --file "$from/Dockerfile" . >/dev/null
for form in ${*:-plain secure cluster}; do
    case $form in
    plain)
        export COMPOSE_FILE="$from/docker-compose.yml"
        profiles="--profile app --profile alerts --profile login --profile monitoring"
        services="producer worker dashboard notifier page prometheus"
        try plain page
        ;;
    secure)
        scripts/secrets.sh >/dev/null
        export COMPOSE_FILE="$from/docker-compose.yml:$from/docker-compose.secure.yml"
        profiles="--profile secure --profile alerts --profile login --profile monitoring"
        services="producer worker dashboard notifier page prometheus"
        try secure dashboard
        ;;
    cluster)
        export COMPOSE_FILE="$from/docker-compose.yml:$from/docker-compose.cluster.yml"
        profiles="--profile app"
        services="producer worker dashboard"
        try cluster ""
        ;;
    *) echo "there is no form $form: plain, secure or cluster" >&2; exit 2 ;;
    esac
done
