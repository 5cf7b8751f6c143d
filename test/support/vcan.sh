#!/bin/bash
# vcan.sh CMD ARG...: runs CMD in $PWD in a guest of user-mode-linux with vcan0 and vcan1 (a real SocketCAN bus where the
# machine's kernel has none); exit = CMD's, 125 = the guest died. VCAN_TIMEOUT: seconds. VCAN_MOUNTS: folders it reads too.
set -u
if [ $$ != 1 ]; then
  self=$(realpath "$0"); st=$(mktemp -d "$PWD/.vcan.XXXXXX"); trap 'rm -rf "$st"' EXIT
  printf '%q ' "$@" >"$st/cmd"; export -p | grep -vE ' (PWD|OLDPWD|SHLVL|_|HOME)=' >"$st/env"
  TMPDIR=/dev/shm timeout -k 5 "${VCAN_TIMEOUT:-300}" linux.uml mem=1G uml_dir="$st" rootfstype=hostfs rootflags=/ ro \
    quiet loglevel=1 con=null con0=null,fd:1 ${VCAN_UMLARGS:-} init="$self" vcan_wd="$PWD" vcan_st="$st" </dev/null >"$st/log" 2>&1 &
  uml=$!; trap 'kill $uml' INT TERM; touch "$st/out"; tail -s .05 -f --pid=$uml "$st/out" & t=$!
  wait $uml; rc=$?; wait $t; [ -s "$st/rc" ] && exit "$(cat "$st/rc")"
  echo "guest died ($rc)" >&2; tail -n 20 "$st/log" >&2; exit 125
fi
PATH=/usr/sbin:/usr/bin:/sbin:/bin; export HOME=/root
mount -t proc p /proc; mount -t sysfs s /sys; mount -t tmpfs t /run; mount -t tmpfs t /tmp
mkdir -p /dev/pts /dev/shm "$vcan_wd"; mount -t devpts -o ptmxmode=666 d /dev/pts; mount -t tmpfs t /dev/shm; ln -s /proc/self/fd /dev/fd
mount -t hostfs none "$vcan_wd" -o "$vcan_wd" || poweroff -f
ip link set lo up; m=/usr/lib/uml/modules/$(uname -r)/kernel; d=$m/drivers/net/can
for f in $d/dev/can-dev $m/net/can/can $m/net/can/can-raw $d/vcan $d/slcan/slcan; do insmod $f.ko; done
for i in vcan0 vcan1; do ip link add $i type vcan; ip link set $i mtu 72 up; done
. "$vcan_st/env"
# Folders that the fresh /tmp, /run or /dev/shm would hide.
IFS=: ; for d in ${VCAN_MOUNTS:-}; do mkdir -p "$d"; mount -t hostfs none "$d" -o "$d,ro"; done; unset IFS
cd "$vcan_wd"
setsid bash -c "$(cat "$vcan_st/cmd")" </dev/null >"$vcan_st/out" 2>&1; echo $? >"$vcan_st/rc"; poweroff -f
