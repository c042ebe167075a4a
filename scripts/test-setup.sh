#!/usr/bin/env bash
# Installs the programs some tests talk to, when they are absent: a real Alertmanager and
# Prometheus, a real mail server, PostgreSQL, openssl. Quiet when there is nothing to do.
# Without apt or the right to install it says what is missing and ends well: the tests that
# need it then skip loudly, and fail where CI=true.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }
has_aiosmtpd() {
    local python
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import aiosmtpd.smtp' >/dev/null 2>&1 && return
    done
    return 1
}
has_postgres() { has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }

packages=()
# The services a package would start: the tests start their own copies.
services=()
if ! has prometheus-alertmanager && ! has alertmanager; then
    packages+=(prometheus-alertmanager)
    services+=(prometheus-alertmanager)
fi
if ! has prometheus || ! has promtool; then
    packages+=(prometheus)
    services+=(prometheus prometheus-node-exporter)
fi
has_aiosmtpd || packages+=(python3-aiosmtpd)
if ! has_postgres; then
    # The metapackage of whatever version this release has.
    packages+=(postgresql)
    services+=(postgresql)
fi
has openssl || packages+=(openssl)

[ ${#packages[@]} -gt 0 ] || exit 0

if ! has apt-get; then
    echo "test-setup: no apt-get here; install these or their like yourself: ${packages[*]}" >&2
    exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo || ! sudo -n true 2>/dev/null; then
        echo "test-setup: not root and no sudo without a password; run: apt-get install ${packages[*]}" >&2
        exit 0
    fi
    as_root=(sudo -n)
fi

echo "test-setup: installing ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${packages[@]}" >"$log" 2>&1
}
# A machine that has just been made has no package lists yet.
if ! install && ! { "${as_root[@]}" apt-get update -qq >"$log" 2>&1 && install; }; then
    echo "test-setup: could not install ${packages[*]}:" >&2
    tail -n 20 "$log" >&2
    exit 0
fi
for service in "${services[@]}"; do
    # There may be no init system at all, as in a container: then nothing was started.
    "${as_root[@]}" systemctl disable --now "$service" >/dev/null 2>&1 \
        || "${as_root[@]}" service "$service" stop >/dev/null 2>&1 || true
done
