#!/bin/sh
# Runs a command and tells the exporter how it went: for cron jobs and scripts.
#
#   AIWF_TOKEN=… ./push_execution.sh nightly-report python report.py
#
# Its exit status is that of the command; that the exporter does not answer changes nothing of it.
# Environment: AIWF_URL (http://127.0.0.1:9849), AIWF_TOKEN (the exporter's web.token), and, if you
# like, AIWF_CUSTOMER.
set -u

usage() {
    echo "usage: $0 WORKFLOW COMMAND [ARGUMENT…]" >&2
    exit 64
}

[ $# -ge 2 ] || usage
workflow=$1
shift
for name in "$workflow" "${AIWF_CUSTOMER:-}"; do
    case $name in
    *[!A-Za-z0-9_.\ -]*)
        echo "$0: '$name' may hold letters, digits, space, _ . and - only" >&2
        exit 64
        ;;
    esac
done

execution_id=$workflow-$(date -u +%Y%m%dT%H%M%SZ)-$$
started_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# tell TRIES STATUS [MORE FIELDS]: a later word of the same execution_id replaces the earlier.
tell() {
    printf '{"execution_id": "%s", "workflow": "%s", "trigger": "script", "status": "%s", %s%s"started_at": "%s"}' \
        "$execution_id" "$workflow" "$2" \
        "${AIWF_CUSTOMER:+\"customer\": \"$AIWF_CUSTOMER\", }" "${3:-}" "$started_at" |
        curl --silent --show-error --fail-with-body --output /dev/null \
            --max-time 10 --retry "$1" --retry-connrefused \
            --header "Content-Type: application/json" --header @/dev/fd/3 \
            --data-binary @- "${AIWF_URL:-http://127.0.0.1:9849}/v1/executions" 3<<TOKEN ||
Authorization: Bearer ${AIWF_TOKEN:-}
TOKEN
        echo "$0: the exporter was not told of $execution_id" >&2
}

tell 0 running
"$@"
code=$?

if [ $code -eq 0 ]; then
    status=success
elif [ $code -eq 124 ]; then
    status=timeout # timeout(1) ended it
elif [ $code -gt 128 ]; then
    status=crashed # a signal ended it
else
    status=error
fi
error=
[ $code -eq 0 ] || error="\"error\": {\"type\": \"exit $code\", \"message\": \"the command ended with status $code\"}, "
tell 3 "$status" "$error\"finished_at\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\", "
exit $code
