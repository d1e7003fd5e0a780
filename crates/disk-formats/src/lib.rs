//! Writers of disk formats: GPT, FAT, cpio, EROFS metadata.
