// Places the values of a one-device graph on a mesh and inserts the collectives: the only place
// that decides placement, splits, moves and lifetimes. Out comes the SPMD program every reader
// reads.
#pragma once

#include <memory>

#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "fabric/mesh.h"
#include "model/precision.h"
#include "model/profile.h"
#include "tensor/graph.h"

namespace model {

struct PartitionOptions {
    std::string name;        // "decode", "prefill 128"; also prefixes its input and output buffers
    mesh::Grid worker_grid;  // of the device the program will run on
    dispatch::Release release = dispatch::Release::R2026_09;  // of its kernels
    /// After every layer the residual stream is read back as "hidden_states".
    enum class Taps { None, HiddenStates } taps = Taps::None;
};

/// Throws core::Error naming value and numbers when something does not divide.
std::shared_ptr<const dispatch::Program> partition(const tensor::Graph& graph,
                                                   const Profile& profile,
                                                   const Precision& precision,
                                                   const fabric::Mesh& mesh,
                                                   const PartitionOptions& options);

}  // namespace model
