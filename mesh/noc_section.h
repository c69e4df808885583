// The section `noc` of topologies/kernels. Internal to this room, as mesh/yaml_section.h is.
#pragma once

#include "mesh/noc.h"
#include "mesh/yaml_section.h"

namespace mesh {

NocSpec read_noc(Section section);

}  // namespace mesh
