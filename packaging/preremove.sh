#!/bin/sh
# Before the files go: the timer stops. An upgrade (deb "upgrade", rpm 1) leaves it as it is. A fix stays: fix uninstall takes it out.
set -e
case "$1" in upgrade | 1) exit 0 ;; esac
if [ -d /run/systemd/system ]; then systemctl disable --now ringfence-audit.timer ringfence-audit.service >/dev/null 2>&1 || true; fi
