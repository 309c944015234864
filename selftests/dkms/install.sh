# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# In the chroot, first part: add, build, install, an excluded kernel, and what the VM needs.

. "$(dirname "$0")/lib.sh"

cp -r /mnt/source "/usr/src/mmkit-$VERSION"
step 0 "add" dkms add "$package"
step 0 "build" dkms build "$package" -k "$KERNEL"
step 0 "install" dkms install "$package" -k "$KERNEL"
step 0 "status says installed" installed
step 0 "depmod knows the modules" known_to_depmod
for module in $MODULES; do
	step 0 "$module: its version is that of the package" field version "$module" "$VERSION"
	step 0 "$module: DKMS has signed it" field signer "$module" "DKMS module signing key"
	step 0 "$module: modprobe by name finds it" modprobe -S "$KERNEL" --dry-run "$module"
done

# A kernel that dkms.conf excludes comes by the package manager: its hook must not fail for us.
old=$(cat /mnt/old/version)
# A hook that comes after that of DKMS: the hooks have run, and to the end.
cat > /etc/kernel/header_postinst.d/zz-last <<'HOOK'
#!/bin/sh
echo "$1" > /tmp/hooked
HOOK
chmod +x /etc/kernel/header_postinst.d/zz-last
step 0 "$old: its headers install" \
	env DEBIAN_FRONTEND=noninteractive apt-get -y install /mnt/old/*.deb
step 0 "$old: the hooks have run" grep -qx "$old" /tmp/hooked
step 0 "$old: the kernel's own hook does not fail" /etc/kernel/postinst.d/dkms "$old"
step 0 "$old: dpkg has nothing to complain about" silent dpkg --audit
step 0 "$old: nor has apt" apt-get check
step 0 "$old: autoinstall does not fail" dkms autoinstall -k "$old"
step 77 "$old: build is skipped" dkms build "$package" -k "$old"
step 77 "$old: install is skipped" dkms install "$package" -k "$old"
step 0 "$old: nothing was installed" silent find "/lib/modules/$old/" -name 'mmkit*'
step 0 "the other kernel keeps its modules" installed

# A module of somebody else's, which DKMS builds against what it keeps of this one.
cp -r /mnt/example "/usr/src/${example/\//-}"
step 0 "a module that uses mmkit: add" dkms add "$example"
step 0 "a module that uses mmkit: build" dkms build "$example" -k "$KERNEL"
step 0 "a module that uses mmkit: install" dkms install "$example" -k "$KERNEL"
step 0 "a module that uses mmkit: it depends on it" field depends unpack mmkit_jit
step 0 "a module that uses mmkit: modprobe finds both" \
	says "/mmkit_jit\.ko" modprobe -S "$KERNEL" --show-depends unpack

# The guest: kmod of this release with its libraries, the index as depmod wrote it, our modules.
root=/mnt/out/root
modules=/lib/modules/$KERNEL
mkdir -p "$root"/{bin,dev,proc,sys,tmp,mnt,usr/sbin,mmkit/unsigned,"$modules"}
cp "$(command -v busybox)" "$root/bin/"
kmod=$(readlink -f "$(command -v modprobe)")
cp "$kmod" "$root/usr/sbin/modprobe"
ln -s /usr/sbin/modprobe "$root/bin/modprobe"
for file in $(ldd "$kmod" | grep -oE '/[^ ]+'); do
	mkdir -p "$root$(dirname "$file")"
	cp -L "$file" "$root$file"
done
cp "$modules"/modules.* "$root$modules/"
for name in $GUEST_MODULES $MODULES; do
	modprobe -S "$KERNEL" --show-depends "$name" 2>/dev/null
done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
	mkdir -p "$root$(dirname "$file")"
	cp "$file" "$root$file"
done
# Without its signature, as DKMS leaves a module where there is no openssl.
for module in $MODULES; do
	file=$modules/updates/dkms/$module.ko
	if [ -e "$file" ]; then cp "$file" /tmp/; else xz -dc "$file.xz" > "/tmp/$module.ko"; fi
	strip --strip-debug -o "$root/mmkit/unsigned/$module.ko" "/tmp/$module.ko"
done
cp /var/lib/dkms/mok.pub /mnt/out/
