//! Whether an executable starts on Lambda's Amazon Linux 2023.

use object::elf::{self as format, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, SymbolIndex};

use super::{BINARY, Error};
use crate::config::Architecture;

/// The C library of Amazon Linux 2023.
const GLIBC: (u32, u32) = (2, 34);
/// As many symbols as an error names.
const NAMED: usize = 8;

type Header = FileHeader64<LittleEndian>;

/// Checks kind, machine, loader and the C library's symbols. `name` is what the error calls the file.
pub(super) fn check(bytes: &[u8], name: &str, architecture: Architecture) -> Result<(), Error> {
    let target = target(architecture);
    let build = format!("build it for Lambda: `cargo zigbuild --release --target {target}.{}.{}`", GLIBC.0, GLIBC.1);
    // The class and the byte order, before anything is read by them.
    if bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
        return Err(Error::new(format!("{name} is no 64-bit little-endian executable"), build));
    }
    let broken = |error: object::read::Error| Error::new(format!("{name} is a broken executable: {error}"), "build it again");
    let header = Header::parse(bytes).map_err(broken)?;
    machine(header, name, architecture, &build)?;
    let program = Program::read(header, bytes).map_err(broken)?;
    if header.e_entry(LittleEndian) == 0 || !program.starts(header.e_type(LittleEndian)) {
        let what = format!("{name} is a library or an object file, not an executable");
        return Err(Error::new(what, format!("give the binary, such as `target/{target}/release/{BINARY}`")));
    }
    if let Some(loader) = program.loader
        && !loaders(architecture).contains(&loader)
    {
        let loader = String::from_utf8_lossy(loader);
        let what = format!("{name} wants the loader {}, which Lambda has not", loader.escape_debug());
        let why = if loader.contains("musl") { "link it statically (`-C target-feature=+crt-static`), or " } else { "" };
        return Err(Error::new(what, format!("{why}{build}")));
    }
    let newer = too_new(header, bytes).map_err(broken)?;
    let Some(newest) = newer.iter().map(|need| need.version).max() else { return Ok(()) };
    let mut symbols: Vec<String> =
        newer.iter().map(|need| format!("{} (GLIBC_{}.{})", need.symbol, need.version.0, need.version.1)).collect();
    symbols.sort();
    symbols.dedup();
    let more = symbols.len().saturating_sub(NAMED);
    symbols.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = format!(
        "{name} needs glibc {}.{}, Lambda's Amazon Linux 2023 has {}.{}: {}{more}",
        newest.0,
        newest.1,
        GLIBC.0,
        GLIBC.1,
        symbols.join(", ")
    );
    Err(Error::new(what, build))
}

/// Cargo's name for Linux on a processor.
pub(super) fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
    }
}

fn loaders(architecture: Architecture) -> &'static [&'static [u8]] {
    match architecture {
        Architecture::Arm64 => &[b"/lib/ld-linux-aarch64.so.1", b"/lib64/ld-linux-aarch64.so.1"],
        Architecture::X86_64 => &[b"/lib64/ld-linux-x86-64.so.2", b"/usr/lib64/ld-linux-x86-64.so.2"],
    }
}

fn machine(header: &Header, name: &str, architecture: Architecture, build: &str) -> Result<(), Error> {
    let machine = header.e_machine(LittleEndian);
    let (wanted, other) = match architecture {
        Architecture::Arm64 => (format::EM_AARCH64, (format::EM_X86_64, Architecture::X86_64)),
        Architecture::X86_64 => (format::EM_X86_64, (format::EM_AARCH64, Architecture::Arm64)),
    };
    if machine == wanted {
        return Ok(());
    }
    let wanted = architecture.as_str();
    if machine == other.0 {
        let is = other.1.as_str();
        let what = format!("{name} is for {is}, the function runs on {wanted}");
        return Err(Error::new(what, format!("set `function.architecture: {is}` (`--architecture {is}`), or {build}")));
    }
    Err(Error::new(format!("{name} is for another processor (ELF machine {}), the function runs on {wanted}", machine.0), build))
}

/// What the segments say.
struct Program<'data> {
    loader: Option<&'data [u8]>,
    /// Position-independent, and an executable all the same.
    pie: bool,
    loads: bool,
}

impl<'data> Program<'data> {
    fn read(header: &Header, bytes: &'data [u8]) -> object::read::Result<Self> {
        let mut program = Self { loader: None, pie: false, loads: false };
        for segment in header.program_headers(LittleEndian, bytes)? {
            program.loads |= segment.p_type(LittleEndian) == format::PT_LOAD;
            if let Some(loader) = segment.interpreter(LittleEndian, bytes)? {
                program.loader = Some(loader);
            }
            for entry in segment.dynamic(LittleEndian, bytes)?.unwrap_or_default() {
                let pie = format::DF_1_PIE.0 & entry.d_val(LittleEndian) != 0;
                program.pie |= entry.d_tag(LittleEndian) == format::DT_FLAGS_1 && pie;
            }
        }
        Ok(program)
    }

    fn starts(&self, kind: format::FileType) -> bool {
        self.loads && (kind == format::ET_EXEC || (kind == format::ET_DYN && (self.loader.is_some() || self.pie)))
    }
}

/// A symbol that Lambda's C library does not have.
struct Need {
    symbol: String,
    version: (u32, u32),
}

/// The loader refuses a file for the versions that it lists, not for the symbols, unless a version is marked as weak.
fn too_new(header: &Header, bytes: &[u8]) -> object::read::Result<Vec<Need>> {
    let sections = header.sections(LittleEndian, bytes)?;
    let Some((needs, strings)) = sections.gnu_verneed(LittleEndian, bytes)? else { return Ok(Vec::new()) };
    let strings = sections.strings(LittleEndian, bytes, strings)?;
    let mut newer = Vec::new();
    for need in needs {
        let (_, versions) = need?;
        for version in versions {
            let version = version?;
            let weak = version.vna_flags.get(LittleEndian).contains(format::VER_FLG_WEAK);
            if let Some(number) = glibc(version.name(LittleEndian, strings)?).filter(|number| !weak && *number > GLIBC) {
                newer.push((version.vna_other(LittleEndian).index(), number));
            }
        }
    }
    if newer.is_empty() {
        return Ok(Vec::new());
    }
    let symbols = sections.symbols(LittleEndian, bytes, format::SHT_DYNSYM)?;
    let of = sections.gnu_versym(LittleEndian, bytes)?.map_or(&[][..], |(of, _)| of);
    let mut needs = Vec::new();
    for (index, number) in newer {
        let used = of.iter().enumerate().filter(|(_, version)| version.0.get(LittleEndian).index() == index);
        let before = needs.len();
        for (at, _) in used {
            let symbol = symbols.symbol(SymbolIndex(at))?;
            let symbol = String::from_utf8_lossy(symbols.symbol_name(LittleEndian, symbol)?).escape_debug().to_string();
            needs.push(Need { symbol, version: number });
        }
        if needs.len() == before {
            needs.push(Need { symbol: "the C library".to_owned(), version: number });
        }
    }
    Ok(needs)
}

/// `GLIBC_2.34` as a pair. `GLIBC_PRIVATE` and other libraries' versions have none.
fn glibc(version: &[u8]) -> Option<(u32, u32)> {
    let numbers = std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = numbers.split('.');
    let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((major, minor))
}
