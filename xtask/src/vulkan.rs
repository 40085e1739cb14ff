//! Whether a Vulkan driver is installed, found out before anything is compiled.
//!
//! The tests open an adapter themselves and fail without one, but only after minutes of compiling. Here only files are
//! looked for: the loader's library, and the manifest of a driver where the loader looks for it.

use crate::command::Result;
use std::path::PathBuf;

/// One line on what this machine has.
///
/// # Errors
/// When the loader or every driver is missing; the message is one line that says how to install them.
pub fn run() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("Vulkan: not needed, this system has another way to its GPU");
        return Ok(());
    }
    let (loader, driver) = (loader(), driver());
    if let (Some(loader), Some(driver)) = (&loader, &driver) {
        println!("Vulkan: {} and {}", loader.display(), driver.display());
        return Ok(());
    }
    let missing = match (loader, driver) {
        (None, None) => "no Vulkan loader (libvulkan.so.1) and no driver",
        (None, Some(_)) => "no Vulkan loader (libvulkan.so.1)",
        _ => "no Vulkan driver (a file in vulkan/icd.d)",
    };
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let install = install(&release);
    Err(format!(
        "this machine has {missing}, which the tests of the GPU backend need, with a GPU or without one: {install}"
    )
    .into())
}

fn loader() -> Option<PathBuf> {
    const NAME: &str = "libvulkan.so.1";
    let mut folders = list("LD_LIBRARY_PATH");
    folders.extend(
        ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/local/lib64", "/run/opengl-driver/lib"]
            .map(PathBuf::from),
    );
    // Debian keeps each machine's libraries in a folder of its own.
    folders.push(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH).into());
    folders.push(format!("/lib/{}-linux-gnu", std::env::consts::ARCH).into());
    if let Some(path) = folders.into_iter().map(|f| f.join(NAME)).find(|p| p.exists()) {
        return Some(path);
    }
    // The linker's own list, for every other place. `ldconfig` is not on an ordinary user's path everywhere.
    let listed = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .find_map(|program| std::process::Command::new(program).arg("-p").output().ok())?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = text.lines().find(|line| line.trim_start().starts_with(NAME))?;
    Some(line.rsplit_once("=> ").map_or(NAME, |(_, path)| path.trim()).into())
}

/// The first manifest in the places that the loader's documentation lists.
fn driver() -> Option<PathBuf> {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].map(list);
    // Where these are set, the loader looks nowhere else.
    if let Some(only) = named.into_iter().find(|paths| !paths.is_empty()) {
        return only.into_iter().find_map(manifest);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut folders = list("VK_ADD_DRIVER_FILES");
    let mut bases: Vec<PathBuf> = Vec::new();
    for (name, of_home, fallback) in [
        ("XDG_CONFIG_HOME", ".config", ""),
        ("XDG_CONFIG_DIRS", "", "/etc/xdg"),
        ("", "", "/etc:/usr/local/etc"),
        ("XDG_DATA_HOME", ".local/share", ""),
        ("XDG_DATA_DIRS", "", "/usr/local/share:/usr/share"),
        ("", "", "/run/opengl-driver/share"),
    ] {
        let set = if name.is_empty() { Vec::new() } else { list(name) };
        match (set.is_empty(), &home) {
            (false, _) => bases.extend(set),
            (true, Some(home)) if !of_home.is_empty() => bases.push(home.join(of_home)),
            _ => bases.extend(std::env::split_paths(fallback).filter(|p| !p.as_os_str().is_empty())),
        }
    }
    folders.extend(bases.into_iter().map(|base| base.join("vulkan/icd.d")));
    folders.into_iter().find_map(manifest)
}

/// A manifest, or the first one in a folder.
fn manifest(path: PathBuf) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find(|file| file.extension().is_some_and(|e| e == "json"))
}

fn list(variable: &str) -> Vec<PathBuf> {
    let value = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// What to type on the system that `/etc/os-release` describes: its own name first, then those of its relatives.
fn install(release: &str) -> String {
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\''])
    };
    let names = [field("ID"), field("ID_LIKE")].join(" ");
    let command = names.split_whitespace().find_map(|name| match name {
        "debian" | "ubuntu" => Some("apt install mesa-vulkan-drivers libvulkan1"),
        "fedora" | "rhel" | "centos" => Some("dnf install mesa-vulkan-drivers vulkan-loader"),
        "arch" => Some("pacman -S vulkan-swrast vulkan-icd-loader"),
        "suse" | "opensuse" => Some("zypper install libvulkan_lvp libvulkan1"),
        "alpine" => Some("apk add mesa-vulkan-swrast vulkan-loader"),
        "void" => Some("xbps-install mesa-vulkan-lavapipe vulkan-loader"),
        "gentoo" => Some("VIDEO_CARDS=lavapipe USE=vulkan emerge media-libs/mesa media-libs/vulkan-loader"),
        "nixos" => Some(
            "nix-shell -p vulkan-loader mesa --run 'LD_LIBRARY_PATH=$(dirname $(find /nix/store -name libvulkan.so.1 | \
             head -1)) VK_DRIVER_FILES=$(find /nix/store -name \"lvp_icd*.json\" | head -1) cargo xtask test'",
        ),
        _ => None,
    });
    match command {
        Some(command) => format!("`{command}` installs software Vulkan"),
        None => "install the Vulkan loader and a driver, for instance Mesa's lavapipe, or point LD_LIBRARY_PATH and \
                 VK_DRIVER_FILES at them"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::install;

    #[test]
    fn the_command_is_the_systems_own() {
        for (release, expected) in [
            ("ID=debian\nVERSION_ID=\"13\"", "apt install"),
            ("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"", "apt install"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "dnf install"),
            ("ID=arch", "pacman -S"),
            ("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"", "zypper install"),
            ("ID=alpine", "apk add"),
            ("ID=nixos", "nix-shell -p"),
            ("ID=haiku", "install the Vulkan loader"),
            ("", "install the Vulkan loader"),
        ] {
            let text = install(release);
            assert!(text.contains(expected) && !text.contains('\n'), "{release}: {text}");
        }
    }
}
