//! The states in which a power cut can leave a disk, made from a log of what was written.
//!
//! A disk keeps what was written before the last flush. Of what was written since it may have any part: the writes in
//! their order up to some point, only some of them, or a piece of one. Which parts are tried is drawn from a generator
//! with a fixed seed, so a failure comes again. Single sectors are taken to be written whole or not at all.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::File;

use crate::write_log::{Entry, RecordedWrites};

const SECTOR_BYTES: u64 = 512;

/// One state: all entries before `durable`, and then these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// How many entries, from the first on, are all on the disk.
    pub durable: usize,
    /// Entries after those of which the disk has something, with the length of what it has.
    pub volatile: Vec<(usize, u64)>,
    /// How many entries there were when the power was cut.
    pub at: usize,
}

/// The power cuts that are tried between two places of a log: at each flush, and `between` of them in each stretch
/// between two flushes where something was written.
pub fn power_cuts(entries: &[Entry], range: std::ops::Range<usize>, between: usize) -> Vec<PowerCut> {
    let mut random = SplitMix(0x0e5c_e500_0001);
    let mut cuts = Vec::new();
    let mut durable = range.start;
    let ends = (range.start..range.end).filter(|at| entries[*at] == Entry::Flush).map(|at| at + 1).chain([range.end]);
    for end in ends {
        cuts.push(PowerCut { durable, volatile: Vec::new(), at: durable });
        let writes: Vec<(usize, u64)> = (durable..end)
            .filter_map(|index| match entries[index] {
                Entry::Write { length_bytes, .. } => Some((index, length_bytes)),
                Entry::Flush | Entry::Other => None,
            })
            .collect();
        for kind in 0..between.min(writes.len()) {
            cuts.push(cut_between(&mut random, durable, &writes, kind));
        }
        durable = end;
    }
    cuts.push(PowerCut { durable, volatile: Vec::new(), at: durable });
    cuts.dedup();
    cuts
}

/// One cut among writes that no flush has followed yet.
fn cut_between(random: &mut SplitMix, durable: usize, writes: &[(usize, u64)], kind: usize) -> PowerCut {
    let count = 1 + random.below(writes.len());
    let mut volatile = writes[..count].to_vec();
    match kind % 3 {
        // Some came through, whatever their order.
        0 => volatile.retain(|_| random.below(2) == 0),
        // The last one came through in part.
        1 => {
            let last = &mut volatile[count - 1].1;
            let sectors = usize::try_from(*last / SECTOR_BYTES).unwrap_or(usize::MAX);
            *last = random.below(sectors) as u64 * SECTOR_BYTES;
        }
        // All came through, in their order.
        _ => {}
    }
    PowerCut { durable, volatile, at: writes[count - 1].0 + 1 }
}

/// Steele, Lea and Flood's SplitMix64.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}

/// A disk image on which a log is played forward, and on which what else is written can be taken back.
#[derive(Debug)]
pub struct Replay {
    image: File,
    log: RecordedWrites,
    applied: usize,
    saved: Vec<(u64, Vec<u8>)>,
}

impl Replay {
    /// Opens the image as it was before the first write of the log.
    pub fn open(image: &Path, log: RecordedWrites) -> io::Result<Self> {
        let image = File::options().read(true).write(true).open(image)?;
        Ok(Self { image, log, applied: 0, saved: Vec::new() })
    }

    /// Brings the image into the state of a cut. Cuts must come in the order of what is durable in them.
    pub fn go_to(&mut self, cut: &PowerCut) -> io::Result<()> {
        self.take_back()?;
        if cut.durable < self.applied {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a log is played forward only"));
        }
        for index in self.applied..cut.durable {
            self.apply(index, u64::MAX)?;
            self.saved.clear();
        }
        self.applied = cut.durable;
        for (index, length_bytes) in &cut.volatile {
            self.apply(*index, *length_bytes)?;
        }
        Ok(())
    }

    /// Undoes what was written since [`Self::go_to`] played what is durable.
    pub fn take_back(&mut self) -> io::Result<()> {
        self.take_back_to(0)
    }

    /// Lets something write to the state, and undoes what it wrote.
    pub fn without_trace<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> io::Result<R> {
        let before = self.saved.len();
        let result = work(self);
        self.take_back_to(before)?;
        Ok(result)
    }

    fn take_back_to(&mut self, count: usize) -> io::Result<()> {
        for (offset, bytes) in self.saved.drain(count..).rev() {
            self.image.seek(SeekFrom::Start(offset))?;
            self.image.write_all(&bytes)?;
        }
        Ok(())
    }

    fn apply(&mut self, index: usize, limit_bytes: u64) -> io::Result<()> {
        if let Entry::Write { offset_bytes, length_bytes, log_offset_bytes } = self.log.entries()[index] {
            let data = self.log.data(log_offset_bytes, length_bytes.min(limit_bytes))?;
            self.image.seek(SeekFrom::Start(offset_bytes))?;
            self.write_all(&data)?;
        }
        Ok(())
    }
}

impl Read for Replay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.image.read(buffer)
    }
}

impl Seek for Replay {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.image.seek(to)
    }
}

/// Writes can be taken back.
impl Write for Replay {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let offset = self.image.stream_position()?;
        let mut old = vec![0; buffer.len()];
        self.image.read_exact(&mut old)?;
        self.saved.push((offset, old));
        self.image.seek(SeekFrom::Start(offset))?;
        self.image.write_all(buffer)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset_sectors: u64, length_sectors: u64) -> Entry {
        Entry::Write { offset_bytes: offset_sectors * 512, length_bytes: length_sectors * 512, log_offset_bytes: 0 }
    }

    #[test]
    fn what_was_flushed_is_in_every_state() {
        let entries = [write(0, 4), Entry::Flush, write(4, 4), write(8, 4), Entry::Flush, Entry::Other, write(12, 4)];
        let cuts = power_cuts(&entries, 0..entries.len(), 3);
        assert_eq!(cuts, power_cuts(&entries, 0..entries.len(), 3), "the same each time");
        for cut in &cuts {
            let flushed = entries[..cut.at].iter().rposition(|entry| *entry == Entry::Flush).map_or(0, |at| at + 1);
            assert!(cut.durable >= flushed, "{cut:?}");
            assert!(cut.volatile.iter().all(|(index, _)| (cut.durable..cut.at).contains(index)), "{cut:?}");
        }
        assert!(cuts.is_sorted_by_key(|cut| cut.durable));
        assert!(cuts.iter().any(|cut| cut.volatile.iter().any(|(_, length)| *length < 2048)), "{cuts:?}");
        assert_eq!(
            cuts.iter()
                .filter(|cut| cut.volatile.is_empty() && cut.at == cut.durable)
                .map(|cut| cut.at)
                .collect::<Vec<_>>(),
            [0, 2, 5, 7]
        );
    }

    #[test]
    fn what_was_not_flushed_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (image, log) = (folder.path().join("image"), folder.path().join("log"));
        fs_err::write(&image, vec![0; 2048]).unwrap();
        let sector = |numbers: &[u64]| {
            let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            bytes.resize(512, 0);
            bytes
        };
        let content = [
            sector(&[0x006a_7366_7773_6872, 1, 3, 512]),
            sector(&[0, 1, 0, 0]),
            vec![1; 512],
            sector(&[0, 0, 1, 0]),
            sector(&[0, 2, 0, 0]),
            vec![2; 1024],
        ];
        fs_err::write(&log, content.concat()).unwrap();
        let mut replay = Replay::open(&image, RecordedWrites::read(&log).unwrap()).unwrap();
        replay.go_to(&PowerCut { durable: 2, volatile: vec![(2, 512)], at: 3 }).unwrap();
        assert_eq!(fs_err::read(&image).unwrap(), [vec![2; 512], vec![0; 1536]].concat());
        replay.go_to(&PowerCut { durable: 2, volatile: vec![(2, 1024)], at: 3 }).unwrap();
        assert_eq!(fs_err::read(&image).unwrap(), [vec![2; 1024], vec![0; 1024]].concat());
        replay.take_back().unwrap();
        assert_eq!(fs_err::read(&image).unwrap(), [vec![1; 512], vec![0; 1536]].concat());
        replay.go_to(&PowerCut { durable: 3, volatile: vec![], at: 3 }).unwrap();
        assert_eq!(fs_err::read(&image).unwrap(), [vec![2; 1024], vec![0; 1024]].concat());
        assert!(replay.go_to(&PowerCut { durable: 2, volatile: vec![], at: 2 }).is_err());
    }
}
