//! Compiles proto/credits/v1 into Rust, without protoc.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");

    let mut files = Vec::new();
    for entry in fs::read_dir("proto/credits/v1")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    let descriptors = compiler.file_descriptor_set();

    // What the reflection service answers with: comments and imports included.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("credits_descriptor.bin"), descriptors.encode_to_vec())?;

    // Every message knows its name: the command line finds its descriptor by it.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .btree_map(".")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
