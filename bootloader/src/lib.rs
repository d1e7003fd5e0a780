//! Generations to boot entries to the EFI system partition.
