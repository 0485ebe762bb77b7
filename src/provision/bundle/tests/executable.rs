//! Executables made byte by byte: only what the loader looks at.

/// What the executable says about itself.
#[derive(Clone, Debug)]
pub(super) struct Executable {
    machine: u16,
    kind: u16,
    loader: Option<&'static str>,
    flags: u64,
    needs: Vec<(&'static str, &'static str)>,
    weak: bool,
}

impl Default for Executable {
    /// A dynamic one for x86_64.
    fn default() -> Self {
        Self { machine: 62, kind: 3, loader: Some("/lib64/ld-linux-x86-64.so.2"), flags: 0, needs: Vec::new(), weak: false }
    }
}

impl Executable {
    pub(super) fn machine(self, machine: u16) -> Self {
        Self { machine, ..self }
    }

    pub(super) fn kind(self, kind: u16) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn loader(self, loader: Option<&'static str>) -> Self {
        Self { loader, ..self }
    }

    pub(super) fn flags(self, flags: u64) -> Self {
        Self { flags, ..self }
    }

    pub(super) fn needs(self, needs: &[(&'static str, &'static str)]) -> Self {
        Self { needs: needs.to_vec(), ..self }
    }

    /// Marks the versions as weak.
    pub(super) fn weak(self) -> Self {
        Self { weak: true, ..self }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0_u8];
        let mut string = |text: &str| {
            let at = strings.len() as u32;
            strings.extend(text.bytes().chain([0]));
            at
        };
        let library = string("libc.so.6");
        let mut symbols = vec![0_u8; 24];
        let mut versions = vec![0_u8; 2];
        let mut aux = Vec::new();
        for (index, (name, version)) in self.needs.iter().enumerate() {
            let number = index as u16 + 2;
            symbols.extend(string(name).to_le_bytes());
            symbols.extend([0x12, 0, 0, 0]);
            symbols.extend([0; 16]);
            versions.extend(number.to_le_bytes());
            aux.extend(0_u32.to_le_bytes());
            aux.extend(if self.weak { 2_u16 } else { 0 }.to_le_bytes());
            aux.extend(number.to_le_bytes());
            aux.extend(string(version).to_le_bytes());
            aux.extend(if index + 1 == self.needs.len() { 0_u32 } else { 16 }.to_le_bytes());
        }
        let mut need = Vec::new();
        if !self.needs.is_empty() {
            need.extend(1_u16.to_le_bytes());
            need.extend((self.needs.len() as u16).to_le_bytes());
            need.extend(library.to_le_bytes());
            need.extend(16_u32.to_le_bytes());
            need.extend(0_u32.to_le_bytes());
            need.extend(aux);
        }
        let mut dynamic = Vec::new();
        dynamic.extend(0x6fff_fffb_u64.to_le_bytes());
        dynamic.extend(self.flags.to_le_bytes());
        dynamic.extend([0; 16]);
        let loader: Vec<u8> = self.loader.map(|loader| loader.bytes().chain([0]).collect()).unwrap_or_default();

        let segments = 2 + u64::from(self.loader.is_some());
        let mut at = 64 + segments * 56;
        let mut body = Vec::new();
        let mut place = |bytes: &[u8]| {
            let start = at;
            body.extend(bytes);
            let padding = (8 - bytes.len() % 8) % 8;
            body.extend(vec![0; padding]);
            at += (bytes.len() + padding) as u64;
            (start, bytes.len() as u64)
        };
        let dynamic = place(&dynamic);
        let loader = place(&loader);
        // name, type, place, link, info, size of an entry
        let sections = [
            (0, (0, 0), 0, 0, 0),
            (3, place(&strings), 0, 0, 0),
            (11, place(&symbols), 1, 1, 24),
            (0x6fff_ffff, place(&versions), 2, 0, 2),
            (0x6fff_fffe, place(&need), 1, u32::from(!self.needs.is_empty()), 0),
        ];

        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(self.kind.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(0x1000_u64.to_le_bytes());
        file.extend(64_u64.to_le_bytes());
        file.extend(at.to_le_bytes());
        file.extend(0_u32.to_le_bytes());
        for half in [64, 56, segments as u16, 64, sections.len() as u16, 1] {
            file.extend(half.to_le_bytes());
        }
        let mut segment = |kind: u32, (start, size): (u64, u64)| {
            file.extend(kind.to_le_bytes());
            file.extend(5_u32.to_le_bytes());
            for word in [start, start, start, size, size, 8] {
                file.extend(word.to_le_bytes());
            }
        };
        segment(1, (0, at));
        segment(2, dynamic);
        if self.loader.is_some() {
            segment(3, loader);
        }
        file.extend(body);
        for (kind, (start, size), link, info, entry) in sections {
            file.extend(0_u32.to_le_bytes());
            file.extend(u32::to_le_bytes(kind));
            for word in [0, start, start, size] {
                file.extend(u64::to_le_bytes(word));
            }
            file.extend(u32::to_le_bytes(link));
            file.extend(u32::to_le_bytes(info));
            for word in [8, entry] {
                file.extend(u64::to_le_bytes(word));
            }
        }
        file
    }
}
