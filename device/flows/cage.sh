#!/bin/sh
# The cage, from inside its new namespaces (user, network, mount, process): a root that holds the C library, Node, the
# engine and its modules, all read-only, and nothing else; then no right to change any of it, and no environment.
#
# cage.sh ROOT NODE ENGINE_DIR MODULES_DIR -- ARGUMENTS OF NODE
set -eu
root=$1 node=$2 engine=$3 modules=$4
shift 5

mount -t tmpfs -o size=1m,nr_inodes=4096,nosuid,nodev,mode=755 kerbside "$root"
for dir in /usr/lib /usr/lib64 /lib /lib64 "$engine" "$modules"; do
  if [ -L "$dir" ]; then
    ln -s "$(readlink "$dir")" "$root$dir"
  elif [ -d "$dir" ]; then
    mkdir -p "$root$dir"
    mount --rbind "$dir" "$root$dir"
    mount -o remount,bind,ro,nosuid "$root$dir"
  fi
done
for file in node:"$node" setpriv:"$(command -v setpriv)"; do
  : > "$root/${file%%:*}"
  mount --bind "${file#*:}" "$root/${file%%:*}"
  mount -o remount,bind,ro,nosuid "$root/${file%%:*}"
done
mount -o remount,bind,ro,nosuid,nodev "$root"
cd "$root"
exec env -i "$(command -v chroot)" . /setpriv --no-new-privs --inh-caps=-all --bounding-set=-all \
  --pdeathsig KILL /node "$@"
