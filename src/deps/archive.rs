//! Turns a `.tar.gz` into a folder, and refuses one that could write or read outside of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

/// No package is larger than this, packed or not. What is larger is a bomb, or not a package.
const MAX_BYTES: u64 = 256 << 20;
const MAX_ENTRIES: usize = 100_000;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Unsafe(String),
    #[error("the archive cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Unpacks an archive into an empty folder. A symbolic link becomes a file with the link's text, as git does where
/// there are no links: no file of a package is ever outside of it.
pub fn unpack(packed: impl Read, into: &Path) -> Result<(), Refused> {
    let unpacked = GzDecoder::new(packed).take(MAX_BYTES + 1);
    let mut archive = Archive::new(unpacked);
    let mut left = MAX_BYTES;
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        if count >= MAX_ENTRIES {
            return Err(Refused::Unsafe(format!("the archive has more than {MAX_ENTRIES} files")));
        }
        let Some(path) = inside(&entry.path()?)? else { continue };
        let place = into.join(&path);
        match entry.header().entry_type() {
            EntryType::Directory => std::fs::create_dir_all(&place)?,
            EntryType::Regular | EntryType::Continuous => {
                left = left.saturating_sub(write(&mut entry, &place, left)?);
            }
            EntryType::Symlink => write_link(&entry, &path, &place)?,
            EntryType::XGlobalHeader => {}
            kind => {
                let message = format!("`{}` is no file and no folder, but {kind:?}", path.display());
                return Err(Refused::Unsafe(message));
            }
        }
    }
    Ok(())
}

/// The path of an entry, which must stay below the folder; `None` for the folder itself.
fn inside(path: &Path) -> Result<Option<PathBuf>, Refused> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            _ => return Err(Refused::Unsafe(format!("the path `{}` leaves the archive's folder", path.display()))),
        }
    }
    Ok(Some(inside).filter(|path| !path.as_os_str().is_empty()))
}

fn write(entry: &mut Entry<'_, impl Read>, place: &Path, left: u64) -> Result<u64, Refused> {
    if entry.size() > left {
        return Err(Refused::Unsafe(format!("the archive unpacks to more than {} MB", MAX_BYTES >> 20)));
    }
    std::fs::create_dir_all(place.parent().unwrap_or(place))?;
    Ok(io::copy(entry, &mut File::create(place)?)?)
}

fn write_link(entry: &Entry<'_, impl Read>, path: &Path, place: &Path) -> Result<(), Refused> {
    let target = entry.link_name()?.unwrap_or_default();
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        let leaves = match part {
            Component::Normal(_) => {
                depth += 1;
                false
            }
            Component::CurDir => false,
            Component::ParentDir => {
                // The archive's own top folder is the last that a link may reach.
                depth = depth.saturating_sub(1);
                depth == 0
            }
            _ => true,
        };
        if leaves {
            let message = format!("the link `{}` points out of the archive, to `{}`", path.display(), target.display());
            return Err(Refused::Unsafe(message));
        }
    }
    std::fs::create_dir_all(place.parent().unwrap_or(place))?;
    Ok(std::fs::write(place, target.to_string_lossy().as_bytes())?)
}
