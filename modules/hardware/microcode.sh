# An early initrd with a processor vendor's microcode, as the kernel's x86 microcode loader wants it.
#
# packages: cpio coreutils; in: $microcode: the package, $files: where in it the microcode is, $vendor: GenuineIntel or
# AuthenticAMD. A file without links and times: the same for everyone.
mkdir -p kernel/x86/microcode
cat "$microcode"/$files > "kernel/x86/microcode/$vendor.bin"
test -s "kernel/x86/microcode/$vendor.bin"
touch -d @1 kernel kernel/x86 kernel/x86/microcode "kernel/x86/microcode/$vendor.bin"
printf "%s\n" kernel kernel/x86 kernel/x86/microcode "kernel/x86/microcode/$vendor.bin" | cpio --quiet --create --format=newc --owner=0:0 --reproducible > "$out"
