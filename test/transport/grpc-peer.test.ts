/** gRPC carries requests and streams as every `Peer` must. */

import t from 'tap';
import { checkPeerCompliance } from '../peer/peer-compliance.ts';
import { grpcPeerFactory } from './peer-pair.ts';

checkPeerCompliance(t, grpcPeerFactory);
