"""A local service that speaks Google's embedding API, for development, demos and tests.

Both the Gemini API and Vertex AI are served, at one address.
Its vectors are NOT Google's. Importing this package needs none of the extra's packages;
starting a `Standin` does (`pip install "gemini-embed[standin]"`).
"""

from gemini_embed.standin.batch_faults import JobFault
from gemini_embed.standin.batch_jobs import Job
from gemini_embed.standin.faults import FaultKind, Scripted
from gemini_embed.standin.files import StoredFile
from gemini_embed.standin.request_log import Exchange
from gemini_embed.standin.server import Standin
from gemini_embed.standin.storage import StoredObject

__all__ = [
    "Exchange",
    "FaultKind",
    "Job",
    "JobFault",
    "Scripted",
    "Standin",
    "StoredFile",
    "StoredObject",
]
