#!/usr/bin/env bash
# Installs the programs some tests talk to, when they are absent: a real Alertmanager and
# Prometheus, a real mail server, PostgreSQL with PgBouncer, openssl, a browser with its driver;
# makes the locale en_US.UTF-8, by which databases usually sort;
# and fetches axe-core, which looks at pages as people who cannot see them do, and a generator of
# API clients with its compiler. Quiet when there is nothing to do. Without apt or the right to
# install, or without the network, it says what is missing and ends well: the tests that need it
# then skip loudly, and fail where CI=true.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests read the version here. The sum is that of the package.
readonly AXE_VERSION=4.10.3
readonly AXE_SHA512=5e6edba515e70d25f6604d9815f064d859c5d1ea7ab661bbc4f87c88779ef0c21cae0abbeb636471ef39e9d62d2582e4b88a1866f19f4ecfcf6d986275e4dc12
axe=${CARGO_TARGET_DIR:-target}/test-tools/axe-core-$AXE_VERSION/axe.min.js

# A generator of API clients and a compiler, with every version in the folder's lock file. What
# the lock file names is what the test runs.
readonly CLIENT_SOURCE=tests/fixtures/api-client
client=${CARGO_TARGET_DIR:-target}/test-tools/api-client

has() { command -v "$1" >/dev/null 2>&1; }
has_aiosmtpd() {
    local python
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import aiosmtpd.smtp' >/dev/null 2>&1 && return
    done
    return 1
}
has_postgres() { has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_locale() { locale -a 2>/dev/null | grep -qiE '^en_US\.utf-?8$'; }
has_chromium() {
    has chromium || has chromium-browser || has google-chrome || has google-chrome-stable || has chrome
}

packages=()
# Installed on their own: not every release that has the others has these.
browser_packages=()
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
if ! has pgbouncer && [ ! -x /usr/sbin/pgbouncer ]; then
    packages+=(pgbouncer)
    services+=(pgbouncer)
fi
has openssl || packages+=(openssl)
# The sources of locales are in a package of their own.
has_locale || [ -f /usr/share/i18n/locales/en_US ] || packages+=(locales)
[ -f "$axe" ] || has npm || has curl || has wget || packages+=(curl ca-certificates)
has_chromium || browser_packages+=(chromium)
has chromedriver || browser_packages+=(chromium-driver)

has_client() { cmp -s "$CLIENT_SOURCE/package-lock.json" "$client/package-lock.json"; }
has npm && has node || packages+=(nodejs npm)

[ ${#packages[@]} -gt 0 ] || [ ${#browser_packages[@]} -gt 0 ] || [ ! -f "$axe" ] || ! has_client || ! has_locale || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log

# Sets `as_root`, or says what to do instead.
may_install() {
    if ! has apt-get; then
        echo "test-setup: no apt-get here; install these or their like yourself: $*" >&2
        return 1
    fi
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! has sudo || ! sudo -n true 2>/dev/null; then
            echo "test-setup: not root and no sudo without a password; run: apt-get install $*" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
}

apt_install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$@" >"$log" 2>&1
}

# Installs packages, or says why it did not.
install() {
    may_install "$@" || return 1
    echo "test-setup: installing $*"
    # A machine that has just been made has no package lists yet.
    apt_install "$@" && return
    "${as_root[@]}" apt-get update -qq >"$log" 2>&1 && apt_install "$@" && return
    echo "test-setup: could not install $*:" >&2
    tail -n 20 "$log" >&2
    return 1
}

# Gets the package of axe-core as $1. npm goes first: it knows the mirror of a closed network.
fetch_axe() {
    local url=https://registry.npmjs.org/axe-core/-/axe-core-$AXE_VERSION.tgz
    if has npm && npm pack --silent --pack-destination "$scratch" "axe-core@$AXE_VERSION" >"$log" 2>&1; then
        mv "$scratch/axe-core-$AXE_VERSION.tgz" "$1"
    elif has curl; then
        curl -fsSL --retry 3 --max-time 120 -o "$1" "$url" >"$log" 2>&1
    elif has wget; then
        wget -q --tries 3 --timeout 60 -O "$1" "$url" >"$log" 2>&1
    else
        echo "neither npm, curl nor wget" >"$log"
        return 1
    fi
}

install_axe() {
    local folder package=$scratch/axe.tgz
    folder=$(dirname "$axe")
    echo "test-setup: fetching axe-core $AXE_VERSION"
    if ! fetch_axe "$package"; then
        echo "test-setup: could not fetch axe-core $AXE_VERSION:" >&2
        tail -n 20 "$log" >&2
        return
    fi
    if ! sha512sum --status --check - <<<"$AXE_SHA512  $package"; then
        echo "test-setup: what was fetched is not axe-core $AXE_VERSION: its SHA-512 is another" >&2
        return
    fi
    # Whole or not at all: a test may look at this moment.
    if ! {
        mkdir -p "$folder" \
            && tar -xzf "$package" -C "$scratch" package/axe.min.js package/LICENSE \
            && cp "$scratch/package/LICENSE" "$folder/LICENSE" \
            && cp "$scratch/package/axe.min.js" "$axe.new" \
            && mv "$axe.new" "$axe"
    } >"$log" 2>&1; then
        echo "test-setup: could not unpack axe-core $AXE_VERSION:" >&2
        tail -n 20 "$log" >&2
    fi
}

# The lock file is copied last: it says that the rest is whole.
install_client() {
    echo "test-setup: installing the generator of API clients"
    if ! {
        rm -rf "$client" \
            && mkdir -p "$client" \
            && cp "$CLIENT_SOURCE/package.json" "$client/" \
            && cp "$CLIENT_SOURCE/package-lock.json" "$scratch/" \
            && cp "$CLIENT_SOURCE/package.json" "$scratch/" \
            && npm ci --prefix "$scratch" --ignore-scripts --no-audit --no-fund \
            && mv "$scratch/node_modules" "$client/node_modules" \
            && cp "$CLIENT_SOURCE/package-lock.json" "$client/"
    } >"$log" 2>&1; then
        echo "test-setup: could not install the generator of API clients:" >&2
        tail -n 20 "$log" >&2
    fi
}

if [ ${#packages[@]} -gt 0 ] && install "${packages[@]}"; then
    for service in "${services[@]}"; do
        # There may be no init system at all, as in a container: then nothing was started.
        "${as_root[@]}" systemctl disable --now "$service" >/dev/null 2>&1 \
            || "${as_root[@]}" service "$service" stop >/dev/null 2>&1 || true
    done
fi
if [ ${#browser_packages[@]} -gt 0 ]; then
    install "${browser_packages[@]}" || true
fi
if ! has_locale && may_install locales; then
    echo "test-setup: making the locale en_US.UTF-8"
    "${as_root[@]}" localedef -i en_US -f UTF-8 en_US.UTF-8 >"$log" 2>&1 \
        || { echo "test-setup: could not make the locale en_US.UTF-8:" >&2; tail -n 20 "$log" >&2; }
fi
[ -f "$axe" ] || install_axe
has_client || install_client
