# What the disks of real machines hang on: the drivers that an initrd for any machine carries, as patterns of module files
# below `kernel/`, so that the next kernel's new controller is among them. Stage 1 loads those alone that the hardware asks
# for, and only while the store is missing.
#
# Not here: what has no disk that firmware starts from (floppies, tapes, network block devices), and adapters of storage
# networks, whose firmware and settings come with the system; `boot.initrd.availableKernelModules` adds them one by one.
{ lib, system }:

[
  # SATA and PATA, but for ports that no bus announces and for cards of the PCMCIA kind.
  "drivers/ata/*" "!drivers/ata/pata_legacy.ko*" "!drivers/ata/pata_pcmcia.ko*"

  # NVMe, and the bridge behind which Intel's machines may hide it.
  "drivers/nvme/host/nvme.ko*" "drivers/pci/controller/*"

  # SCSI, SAS and RAID adapters, disks and CD-ROM drives, and the disks of virtual machines.
  "drivers/scsi/*" "drivers/message/fusion/*"
  "!drivers/scsi/pcmcia/*" "!drivers/scsi/scsi_debug.ko*" "!drivers/scsi/st.ko*" "!drivers/scsi/sg.ko*" "!drivers/scsi/ch.ko*"
  "!drivers/scsi/ses.ko*" "!drivers/message/fusion/mptctl.ko*" "!drivers/message/fusion/mptlan.ko*"
  "drivers/block/virtio_blk.ko*" "drivers/block/xen-blkfront.ko*" "drivers/block/mtip32xx/*"
  "drivers/virtio/virtio_mmio.ko*"

  # Storage networks: Fibre Channel and its like over Ethernet, iSCSI.
  "!drivers/scsi/bfa/*" "!drivers/scsi/bnx2fc/*" "!drivers/scsi/csiostor/*" "!drivers/scsi/fcoe/*" "!drivers/scsi/fnic/*"
  "!drivers/scsi/libfc/*" "!drivers/scsi/lpfc/*" "!drivers/scsi/qedf/*" "!drivers/scsi/qla2xxx/*" "!drivers/scsi/snic/*"
  "!drivers/scsi/scsi_transport_fc.ko*" "!drivers/message/fusion/mptfc.ko*"
  "!drivers/scsi/bnx2i/*" "!drivers/scsi/cxgbi/*" "!drivers/scsi/qedi/*" "!drivers/scsi/qla4xxx/*"
  "!drivers/scsi/*iscsi*"

  # USB sticks and disks, through every host controller.
  "drivers/usb/host/*" "drivers/usb/storage/*" "!drivers/usb/host/sl811*"

  # SD cards, eMMC and UFS: laptops, tablets and small boards.
  "drivers/mmc/host/*" "drivers/mmc/core/mmc_block.ko*" "drivers/ufs/host/*"

  # Disks on FireWire.
  "drivers/firewire/firewire-ohci.ko*" "drivers/firewire/firewire-sbp2.ko*"
]
# Boards that a device tree describes: before a controller there come its clocks, its power and its pins.
++ lib.optionals (system == "aarch64-linux") [
  "drivers/bus/*" "drivers/clk/*" "drivers/gpio/*" "drivers/i2c/busses/*" "drivers/mailbox/*" "drivers/mfd/*" "drivers/phy/*"
  "drivers/pinctrl/*" "drivers/pmdomain/*" "drivers/regulator/*" "drivers/reset/*" "drivers/usb/chipidea/*" "drivers/usb/dwc2/*"
  "drivers/usb/dwc3/*" "drivers/usb/phy/*"
  # What belongs to screens, and brings the graphics with it; modems.
  "!drivers/phy/*-dp.ko*" "!drivers/phy/*dsi*" "!drivers/phy/*csi*" "!drivers/phy/*hdmi*" "!drivers/phy/*dphy*" "!drivers/phy/*edp*"
  "!drivers/phy/*usbdp*" "!drivers/phy/*combo.ko*" "!drivers/bus/mhi/*"
]
